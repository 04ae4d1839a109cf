"""Shared by behaviour cloning and the reward model: rows, batches, trainers, weight averaging, word replacement, splits."""
