"""The screens of the recorder, one per module."""
