"""An offline web in one SQLite file: building it from sources, searching it and reading its pages."""
