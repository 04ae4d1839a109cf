"""Commands of `webgpt` that make training data, convert it, and train; one module per command."""
