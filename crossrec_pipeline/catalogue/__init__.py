"""From raw domain catalogues to one table of items."""
