"""Markers of list items, numbered as browsers do."""

from dataclasses import dataclass

from browser_env.rendering.tree import Element

_ROMAN = tuple(
    zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        ("m", "cm", "d", "cd", "c", "xc", "l", "xl", "x", "ix", "v", "iv", "i"),
        strict=True,
    )
)


@dataclass(slots=True)
class ItemCounter:
    """Counter of the items of one list."""

    style: str | None
    """The ``type`` of an ordered list; None for an unordered one."""
    number: int = 1
    """Number of the next item."""
    step: int = 1
    """1, or -1 for a reversed list."""

    @classmethod
    def of(cls, element: Element) -> "ItemCounter":
        """Create the counter of a list element."""
        if element.tag != "ol":
            return cls(None)
        attributes = element.attributes
        reverse = "reversed" in attributes
        length = sum(isinstance(node, Element) and node.tag == "li" for node in element.children) if reverse else 1
        return cls(attributes.get("type", "1"), _integer(attributes.get("start"), length), -1 if reverse else 1)

    def marker(self, item: Element) -> str:
        """Marker of the next item, whose ``value`` attribute sets the number."""
        if self.style is None:
            return "* "
        self.number = _integer(item.attributes.get("value"), self.number)
        marker = f"{_numeral(self.number, self.style)}. "
        self.number += self.step
        return marker


def _integer(value: str | None, default: int) -> int:
    """Value of an integer attribute with at most nine digits, or the default."""
    text = (value or "").strip()
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) < 10 else default


def _numeral(number: int, style: str) -> str:
    """A number in the style of an ``ol``: ``1``, ``a``, ``A``, ``i`` or ``I``."""
    match style:
        case "a" | "A" if number > 0:
            letters = ""
            while number:
                number, index = divmod(number - 1, 26)
                letters = chr(ord(style) + index) + letters
            return letters
        case "i" | "I" if 0 < number < 4000:
            roman = ""
            for value, letter in _ROMAN:
                roman += letter * (number // value)
                number %= value
            return roman if style == "i" else roman.upper()
        case _:
            return str(number)
