"""Edits of a text, stored as events while an annotator writes: a span and its replacement."""

from browser_env.records.record import record


@record
class Edit:
    """A span of a text and its replacement."""

    start: int
    """Offset of the first replaced character."""
    end: int
    """Offset after the last replaced character; equal to `start` for an insertion."""
    text: str
    """Replacement; empty for a deletion."""


def edit_between(old: str, new: str) -> Edit | None:
    """Return the smallest edit that turns one text into another, or None if they are equal."""
    if old == new:
        return None
    shorter = min(len(old), len(new))
    prefix = 0
    while prefix < shorter and old[prefix] == new[prefix]:
        prefix += 1
    suffix = 0
    while suffix < shorter - prefix and old[-1 - suffix] == new[-1 - suffix]:
        suffix += 1
    return Edit(start=prefix, end=len(old) - suffix, text=new[prefix : len(new) - suffix])


def apply_edit(text: str, edit: Edit) -> str | None:
    """Apply an edit to a text. Returns None if the edit's offsets are outside the text."""
    if not 0 <= edit.start <= edit.end <= len(text):
        return None
    return text[: edit.start] + edit.text + text[edit.end :]


def joins(previous: Edit, edit: Edit) -> bool:
    """Whether an edit continues the previous one (typing within a word, repeated deletion), so that one undo reverts both."""
    if previous.start == previous.end and edit.start == edit.end:
        is_adjacent = edit.start == previous.start + len(previous.text)
        return is_adjacent and not (previous.text[-1:].isspace() and not edit.text[:1].isspace())
    if not previous.text and not edit.text:
        return edit.end == previous.start or edit.start == previous.start
    return False
