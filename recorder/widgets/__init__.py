"""Widgets of the screens: the page, answers, references, text areas, headings and keys."""
