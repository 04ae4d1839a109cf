"""Behavior cloning: demonstrations to training rows, supervised fine-tuning, evaluation by loss and rollouts."""
