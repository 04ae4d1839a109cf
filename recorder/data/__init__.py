"""Recorded data: reading, checking, and agreement between annotators."""
