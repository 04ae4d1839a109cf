"""Search engines of the live web: one small file each for what is theirs, one engine for what they have in common.

A `Provider` is pure: it says what to ask (`ApiRequest`) and reads what came back. `SearchEngine` asks, through the one door to
the network, and gives clean hits. `make_provider` makes one of names, addresses and keys.
"""
