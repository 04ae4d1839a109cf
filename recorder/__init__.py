"""The terminal recorder of demonstrations and comparisons, with journals that survive a crash at any time."""
