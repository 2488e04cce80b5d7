"""Expectations as data, and their validation with Great Expectations."""
