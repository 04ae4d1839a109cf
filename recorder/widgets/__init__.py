"""Widgets that the screens are composed of: the page view, the answer view, text selection."""
