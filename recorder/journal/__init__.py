"""Append-only journals, and recordings that are computed from their events, with undo and redo."""
