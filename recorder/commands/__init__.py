"""The commands `webgpt record`, `webgpt compare` and `webgpt data`, one file a command."""
