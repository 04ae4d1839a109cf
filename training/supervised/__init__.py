"""What the supervised trainings share: rows, trainers, weight averaging, word replacement, the held-out split."""
