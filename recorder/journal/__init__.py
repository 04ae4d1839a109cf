"""Append-only journals of events, and recordings with undo and redo, whose state is computed from a journal."""
