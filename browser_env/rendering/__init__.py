"""Renders documents to pages of text: `browser_env.rendering.render.render` for bytes, a module for each kind of document."""
