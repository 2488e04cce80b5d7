"""Items' words in; vectors, what is near, and written descriptions of them out."""
