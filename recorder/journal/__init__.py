"""Append-only journals on disk, and recordings made of their events with undo and redo."""
