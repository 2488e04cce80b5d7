"""Scores that are inner products: ranks of items among all, without a matrix of all scores."""
