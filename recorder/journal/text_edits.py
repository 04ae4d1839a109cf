"""Changes of a text that a person writes, as small events: what stood between two places, and what stands there now."""

from browser_env.records.record import record


@record
class Edit:
    """A stretch of a text replaced by another."""

    start: int
    """Offset of the first character that goes."""
    end: int
    """Offset after the last one; equal to `start` where something is only added."""
    text: str
    """What comes in its place."""


def edit_between(old: str, new: str) -> Edit | None:
    """The smallest edit that makes one text of another; None if they are equal."""
    if old == new:
        return None
    start, most = 0, min(len(old), len(new))
    while start < most and old[start] == new[start]:
        start += 1
    end = 0
    while end < most - start and old[-1 - end] == new[-1 - end]:
        end += 1
    return Edit(start=start, end=len(old) - end, text=new[start : len(new) - end])


def edited(text: str, edit: Edit) -> str | None:
    """The text after an edit; None if it has no such places."""
    if not 0 <= edit.start <= edit.end <= len(text):
        return None
    return text[: edit.start] + edit.text + text[edit.end :]


def joins(previous: Edit, edit: Edit) -> bool:
    """Whether an edit goes on with the one before it, so that undo takes both back: typing to the end of a word, deleting."""
    if previous.start == previous.end and edit.start == edit.end:
        goes_on = edit.start == previous.start + len(previous.text)
        return goes_on and not (previous.text[-1:].isspace() and not edit.text[:1].isspace())
    if not previous.text and not edit.text:
        return edit.end == previous.start or edit.start == previous.start
    return False
