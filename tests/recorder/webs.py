"""A small web for the recorder's tests."""

from browser_env.backends import FakeBackend, SearchHit
from browser_env.pages.page import Link, Page

CROWS_URL, GIFTS_URL = "http://birds.org/crows", "http://www.gifts.org/corvids"
LINES = [f"Crow number {number} brought me {gift}." for number, gift in enumerate(["a key", "an earring", "glass"] * 20)]
CROWS_TEXT = "Crows & their gifts\n\n" + "\n".join(LINES) + "\n\n  Thé end — “they” said. Crow number 3 brought me a key."


def link(text: str, words: str, url: str) -> Link:
    return Link(text.index(words), text.index(words) + len(words), url)


CROWS = Page(
    CROWS_URL,
    "Crows",
    CROWS_TEXT,
    links=(
        link(CROWS_TEXT, "Crow number 1 ", GIFTS_URL),
        link(CROWS_TEXT, "number 2 brought", f"{CROWS_URL}#end"),
        link(CROWS_TEXT, "number 4 brought", "http://www.reddit.com/r/crows"),
        link(CROWS_TEXT, "number 5 brought", "http://gone.org/"),
    ),
    anchors=(("end", CROWS_TEXT.index("Thé end")),),
    headings=((0, 19),),
    notes=("reader",),
)
GIFTS_TEXT = "Many animals give gifts to members of their own species. " * 12
GIFTS = Page(GIFTS_URL, "Gifts", GIFTS_TEXT.strip())
HITS = (
    SearchHit(CROWS_URL, "Crows", "Crow number 0 brought me a key."),
    SearchHit(GIFTS_URL, "Gifts", "Crow number 0 brought me a key. Many animals give gifts"),
)


def web() -> FakeBackend:
    return FakeBackend([CROWS, GIFTS], {"crows": HITS})


def changed_web() -> FakeBackend:
    """Return a web with other pages at the same URLs."""
    return FakeBackend([Page(CROWS_URL, "Sold", "This domain is for sale."), Page(GIFTS_URL, "Gone", "Nothing.")])
