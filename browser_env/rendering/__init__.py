"""Rendering of documents to pages of text, with one module for each kind of document; `render.render` is the entry point."""
