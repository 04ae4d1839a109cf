"""Snapshots of web pages and searches: recorded by content hash, replayed offline, exchanged as web archives."""
