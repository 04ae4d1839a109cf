"""Commands of `webgpt` that ask, browse, evaluate and prepare data, one module per command."""
