"""The generator of questions about the Python documentation, with gold evidence."""
