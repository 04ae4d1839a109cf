"""Policies without a model (scripted, search-only) and the registry that makes a policy of its name."""
