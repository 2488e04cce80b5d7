"""Several models' lists, blended and ranked again."""
