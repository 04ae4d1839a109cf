"""Search engines of the live web: one module for each provider, and one engine for all.

A `Provider` is pure: it creates the request for a query (`ApiRequest`) and reads the reply. `SearchEngine` sends the request
through the network client and cleans the hits. `make_provider` creates a provider from names, addresses and keys.
"""
