"""Exit codes of `webgpt`."""

FAILURE, USAGE, UNSUPPORTED, INTERRUPTED, BROKEN_PIPE = 1, 2, 3, 130, 141
"""Exit codes besides 0. The last two are what a shell reports of a program that SIGINT or SIGPIPE ended."""
