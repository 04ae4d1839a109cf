"""A demonstration in progress: its events, its state, the replies of the web, the exported episode."""
