"""From events to split, memory-mapped sessions."""
