"""Specifications of the scheduling between HTTP and the networks."""
