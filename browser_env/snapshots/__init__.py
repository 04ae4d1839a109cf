"""Snapshots of what was seen on the web: recorded by content hash, replayed offline, exchanged as web archives."""
