"""How bytes become a page. `browser_env.documents.render` is the door; each file here has one subject."""
