"""The whole loop in order, resumable, with a report."""
