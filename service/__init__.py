"""The HTTP service: (budget, preference) in, a sub-network and its predictions out."""
