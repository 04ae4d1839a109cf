"""The text browser of WebGPT as an environment: ten commands, pages, search, an offline web, records."""
