"""A comparison in progress: its events, its state, the pairs to compare, the exported record."""
