"""The special characters of observations, and functions that remove them from text.

In an observation ``♦`` opens a section, ``【7†text†domain】`` is a link, ``━`` joins the two ends of an abbreviated quote and
``◼`` ends a field of the answering prompt. Text from outside (pages, snippets, questions) must not contain these characters,
or a page could forge a heading, a link or a reference. `clean` replaces them with look-alikes, as the paper does (Appendix A),
and removes invisible characters. `browser_env.pages.matching` treats look-alikes as equal, so quotes may use either.
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
"""Replacements of the special characters in page text."""

LINE_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
"""All characters at which `str.splitlines` splits."""

INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200c\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"
)
"""Invisible characters as the content of a regular-expression class: soft hyphen, zero-width characters, bidirectional
controls, fillers, tags and variation selectors.

U+200D and U+FE0F are not among them because emoji need them. U+200C (zero-width non-joiner) is, because Find does not need it.
"""

_INVISIBLE = re.compile(f"[{INVISIBLE}]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_OTHER_BREAKS = re.compile("\r\n|[\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")
_SYMBOL = "\u2190-\ufdff\ufe10-\U0001ffff"
_JOINER_ALONE = re.compile(f"(?<![{_SYMBOL}\ufe0f])\u200d|\u200d(?![{_SYMBOL}])|(?<![{_SYMBOL}])\ufe0f")
_REPLACE = str.maketrans(LOOKALIKES)


def clean(text: str) -> str:
    """Clean a text for observations: no special or invisible characters, and line feeds as the only line breaks.

    Words, emoji and combining marks stay as they are. Cleaning twice changes nothing.
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
    """Clean a text and put it on one line: runs of white space become one space, and none is left at the ends."""
    return " ".join(clean(text).split())
