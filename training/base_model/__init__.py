"""The small base model, trained from scratch on documentation and pretext tasks."""
