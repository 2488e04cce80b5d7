"""Next-item recommenders behind one protocol, and their registry."""
