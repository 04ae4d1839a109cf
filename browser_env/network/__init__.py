"""The one door to the network: guarded connections, address checks, compression limits, rate limits, robots.txt."""
