"""The characters that carry meaning in an observation, and how page text is kept free of them.

An observation is plain text with a grammar of its own: ``♦`` opens a section, ``【7†text†domain】`` is a link, ``━`` joins
the two ends of an abbreviated quote and ``◼`` ends a field of the answering prompt. Text from outside (pages, snippets,
questions) must never contain them, or a page could forge a heading, a link or a reference. `clean` replaces them by
look-alikes, as the paper does (Appendix A), and drops what cannot be seen; `browser_env.pages.matching` folds the look-alikes
back, so a quote typed with either character is found.
"""

import re

SECTION = "♦"
"""U+2666 opens a section of the observation (Figure 1b)."""
LINK_OPEN, LINK_FIELD, LINK_CLOSE = "【", "†", "】"
"""U+3010, U+2020, U+3011: ``【<id>†<text>†<domain>】`` (Appendix A)."""
ELLIPSIS_BAR = "━"
"""U+2501 joins the two ends of an abbreviated quote (Appendix A)."""
END_OF_FIELD = "◼"
"""U+25FC ends a field of the answering prompt (Appendix A)."""

LOOKALIKES = {
    SECTION: "◆",
    LINK_OPEN: "〖",
    LINK_FIELD: "‡",
    LINK_CLOSE: "〗",
    ELLIPSIS_BAR: "─",
    END_OF_FIELD: "▪",
    "■": "▪",
}
"""What stands in page text instead of a character of the grammar."""

LINE_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
"""Every character at which `str.splitlines` breaks."""

INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200c\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"
)
"""As a character class: soft hyphen, zero-width characters, bidirectional controls, fillers, tags, variation selectors.

U+200D and U+FE0F stay: they join and colour emoji. U+200C (zero-width non-joiner) goes; no plain word needs it to be found.
"""

_INVISIBLE = re.compile(f"[{INVISIBLE}]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_OTHER_BREAKS = re.compile("\r\n|[\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")
_SYMBOL = "\u2190-\ufdff\ufe10-\U0001ffff"
_JOINER_ALONE = re.compile(f"(?<![{_SYMBOL}\ufe0f])\u200d|\u200d(?![{_SYMBOL}])|(?<![{_SYMBOL}])\ufe0f")
_REPLACE = str.maketrans(LOOKALIKES)


def clean(text: str) -> str:
    """Text as it may stand in an observation: visible, one kind of line break, none of the grammar's characters.

    Idempotent. Plain words, emoji and combining marks survive unchanged.
    """
    if text.isascii() and text.isprintable():
        return text
    text = _OTHER_BREAKS.sub("\n", text)
    text = _CONTROLS.sub("", text)
    if not text.isascii():
        text = _INVISIBLE.sub("", text)
        text = _JOINER_ALONE.sub("", text)
        text = text.translate(_REPLACE)
    return text


def clean_line(text: str) -> str:
    """`clean`, on one line: every run of white space becomes one space, none at the ends."""
    return " ".join(clean(text).split())
