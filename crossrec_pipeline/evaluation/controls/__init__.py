"""Sessions of which something was taken away: what a model loses without it."""
