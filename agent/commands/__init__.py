"""The commands of `webgpt` that need no recorder and no training, one file a command."""
