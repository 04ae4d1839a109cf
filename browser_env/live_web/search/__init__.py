"""Search on the live web: one module per search provider, and one engine that serves them all.

A `Provider` is pure: it creates the request for a query (`ApiRequest`) and reads the reply. `SearchEngine` sends the request
through the network client and cleans the hits. `make_provider` creates a provider from its name, URL and key.
"""
