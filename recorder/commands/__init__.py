"""The commands `webgpt record`, `webgpt compare` and `webgpt data`, one per module."""
