"""How many replicas and how much Redis: arithmetic, and a simulation that checks it."""
