"""Places that are no local path: copies of what users deliver there, and of what is made here."""
