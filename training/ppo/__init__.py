"""Proximal policy optimization of browsing and answering: experience, batches, the learner and the trainer."""
