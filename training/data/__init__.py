"""Data sets: what the SuperNets are trained on."""
