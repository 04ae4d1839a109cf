"""The commands that train, one file a command."""
