"""The terminal recorder: demonstrations and comparisons by people, in journals that lose nothing."""
