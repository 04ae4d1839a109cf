"""Shared parts of the commands: web options, opening a web, progress bars and exit codes."""
