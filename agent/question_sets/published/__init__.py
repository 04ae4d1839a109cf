"""Loaders of published question sets, one module per set."""
