"""Loaders of published question sets, one file a set."""
