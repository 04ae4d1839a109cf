"""The reward model: comparisons to preferences, training, accuracy and calibration."""
