"""From the words of items to vectors, and to the items that are near each other."""
