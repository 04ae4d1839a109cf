"""The network client: address checks, size and time limits, rate limits and robots.txt for every request."""
