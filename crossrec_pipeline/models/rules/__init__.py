"""Rules: what an item says of the next one, counted or solved for, a row an item."""
