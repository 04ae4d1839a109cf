"""Policies that browse and answer with citations: rollouts, models, question sets, evaluation, the command line."""
