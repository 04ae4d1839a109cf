"""Policies without a model (scripted, search-only), and the registry of all policies by name."""
