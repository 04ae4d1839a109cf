"""Exit codes of `webgpt`."""

FAILURE, USAGE, UNSUPPORTED, INTERRUPTED, BROKEN_PIPE = 1, 2, 3, 130, 141
"""Exit codes other than 0. A shell reports the last two for programs that SIGINT or SIGPIPE ended."""
