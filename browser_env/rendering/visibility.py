"""Recognition of hidden elements and dialogs by attributes and inline styles; hidden text often carries injected instructions.

Style sheets are not read. ``opacity: 0`` does not count as hidden: pages that fade in have it on whole sections.
"""

import re

from browser_env.rendering.tree import Element

_HIDING_STYLE = re.compile(
    r"(?:^|;)(?:display:none|visibility:(?:hidden|collapse)|font-size:0*\.?0+(?:[a-z]+|%)?)(?:!important)?(?:;|$)"
)
_BACKGROUND = re.compile(r"(?:^|;)background(?:-color)?:([^;!]+)")
_COLOR = re.compile(r"(?:^|;)color:([^;!]+)")
_RGB = re.compile(r"rgba?\((\d+),(\d+),(\d+)(?:,1(?:\.0)?)?\)")
_PREFORMATTED = re.compile(r"(?:^|;)white-space:(?:pre|pre-wrap|break-spaces)(?:;|$|!)")
_CONSENT_ID = re.compile(
    r"onetrust-(?:banner|consent)-sdk|cybotcookiebotdialog|didomi-host|usercentrics-root|qc-cmp2-container|"
    r"truste-consent-track|sp_message_container_.*|"
    r"(?:cookies?|gdpr|consent)[-_]?(?:law-info-bar|notice|banner|bar|consent|popup|modal|dialog|wall)",
    re.IGNORECASE,
)


def style_of(element: Element) -> str:
    """Inline style of an element, in lower case and without white space."""
    return "".join(element.attributes.get("style", "").lower().split())


def is_hidden(element: Element) -> bool:
    """Whether an element is hidden. An image with an alternative text is visible even if it is hidden from screen readers."""
    attributes = element.attributes
    if element.tag in ("html", "body"):
        return False  # some pages hide these until a script has run
    if "hidden" in attributes and attributes["hidden"].lower() != "until-found":
        return True
    if attributes.get("aria-hidden", "").lower() == "true" and not (element.tag == "img" and attributes.get("alt")):
        return True
    return "style" in attributes and _HIDING_STYLE.search(style_of(element)) is not None


def is_dialog(element: Element) -> bool:
    """Whether an element is a dialog or a consent banner, which covers the page until it is answered."""
    attributes = element.attributes
    return (
        attributes.get("role", "").lower() in ("dialog", "alertdialog")
        or attributes.get("aria-modal", "").lower() == "true"
        or _CONSENT_ID.fullmatch(attributes.get("id", "")) is not None
    )


def is_preformatted(style: str) -> bool:
    """Whether a style preserves spaces and line breaks."""
    return _PREFORMATTED.search(style) is not None


def background(style: str) -> str | None:
    """Background color of a style; None if it sets none."""
    match = _BACKGROUND.search(style)
    return match and _color(match[1])


def is_invisible_on(style: str, background_color: str | None) -> bool:
    """Whether a style gives text the color of its background."""
    match = _COLOR.search(style)
    return match is not None and background_color is not None and _color(match[1]) == background_color


def _color(value: str) -> str:
    """A color in one notation, ``#rrggbb`` where possible."""
    value = {"white": "#ffffff", "black": "#000000"}.get(value, value)
    if rgb := _RGB.fullmatch(value):
        return "#" + "".join(f"{min(int(part), 255):02x}" for part in rgb.groups())
    if len(value) == 4 and value[0] == "#":
        return "#" + "".join(digit * 2 for digit in value[1:])
    return value
