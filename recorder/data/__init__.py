"""What was recorded: loading it, checking it, agreement between annotators."""
