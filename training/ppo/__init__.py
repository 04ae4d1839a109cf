"""Proximal policy optimization of browsing and answering: rollouts, batches, losses, the trainer."""
