"""Demonstrations: events, state, steps of the environment, recorded replies of the web, and export as episodes."""
