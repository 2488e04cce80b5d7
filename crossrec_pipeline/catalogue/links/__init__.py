"""Which items tell one story, or are editions of one work: linked, never merged."""
