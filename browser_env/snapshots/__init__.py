"""Snapshots of web pages and searches: recorded, replayed offline, and exchanged as web archives."""
