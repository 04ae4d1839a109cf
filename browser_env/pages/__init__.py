"""Pages: text with links as spans, its layout in lines, and matching of words in it."""
