"""The screens of the recorder, one file a screen."""
