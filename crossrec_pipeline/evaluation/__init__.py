"""Ranks, metrics, slices and the report."""
