"""Demonstrations: events, state, steps of the environment, recorded replies of the web, and export to episodes."""
