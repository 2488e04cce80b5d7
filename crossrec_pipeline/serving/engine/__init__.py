"""Sessions of item indexes in, ranked items out: what a served model computes."""
