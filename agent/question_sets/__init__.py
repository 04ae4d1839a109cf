"""Question sets: pydoc's generated questions, published data sets, and your own files."""
