"""Pages: text with links as spans, layout in lines, and text matching."""
