"""How bytes become a page. `browser_env.rendering.render.render` is the door; each file here has one subject."""
