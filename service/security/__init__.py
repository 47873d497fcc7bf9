"""Who is let in, over what, and what browsers are told."""
