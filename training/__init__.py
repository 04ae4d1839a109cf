"""Training: behaviour cloning, reward model, PPO, and the whole loop."""
