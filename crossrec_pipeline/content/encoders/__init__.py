"""From texts to vectors: what every encoder does, and one file for each."""
