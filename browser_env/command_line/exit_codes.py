"""Exit codes of `webgpt`."""

FAILURE, USAGE, UNSUPPORTED, INTERRUPTED, BROKEN_PIPE = 1, 2, 3, 130, 141
"""Exit codes other than 0. Shells report the last two for programs ended by SIGINT or SIGPIPE."""
