"""Other servers around the same network: each is run by a Python of its own, without slimdial."""
