"""Question sets: pydoc's generated questions, published data sets, files of one's own."""
