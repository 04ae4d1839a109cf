"""Rollouts: policies run over many questions at once, best-of-n, and resumable sampling to a file."""
