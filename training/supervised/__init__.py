"""Supervised training of policies and reward models: rows, batches, trainers, weight averaging, word replacement, splits."""
