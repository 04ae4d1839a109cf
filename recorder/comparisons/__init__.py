"""Comparisons: drawing of pairs and rankings, events, state, and export as records."""
