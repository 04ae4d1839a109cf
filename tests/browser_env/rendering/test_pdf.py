"""PDF files as pages: made by pypdf and matplotlib, and damaged ones."""

import random
from collections.abc import Callable
from io import BytesIO

import pytest
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from browser_env.backends import FakeBackend
from browser_env.env import BrowserEnv
from browser_env.errors import FetchError
from browser_env.pages.document import Document
from browser_env.rendering import pdf
from browser_env.rendering.render import render

URL = "https://a.org/papers/crows%20and%20gifts.pdf"


def make(*pages: str, title: str | None = None, finish: Callable[[PdfWriter], object] = lambda writer: None) -> bytes:
    """Create a PDF with the given lines of text on each page."""
    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for text in pages:
        page = writer.add_blank_page(595, 842)
        content = DecodedStreamObject()
        lines = "".join(f"({line}) Tj 0 -14 Td " for line in text.split("\n"))
        content.set_data(f"BT /F1 12 Tf 72 770 Td {lines} ET".encode("latin-1"))
        page[NameObject("/Contents")] = writer._add_object(content)
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): writer._add_object(font)})}
        )
    if title is not None:
        writer.add_metadata({"/Title": title})
    finish(writer)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def shown(body: bytes, content_type: str = "application/pdf") -> str:
    return render(Document(URL, body, content_type)).text


def test_each_page_begins_with_its_number() -> None:
    page = render(Document(URL, make("Crows bring gifts.\nTo people.", "", "The end.", title="On  crows"), "application/pdf"))
    assert page.text == "[Page 1]\nCrows bring gifts.\nTo people.\n\n[Page 2]\n\n[Page 3]\nThe end."
    assert (page.title, page.url, page.kind, page.notes) == ("On crows", URL, "page", ())
    assert page.anchor("page=3") == page.text.index("[Page 3]")


def test_pdf_without_a_title_is_named_by_its_file() -> None:
    assert render(Document(URL, make("x"), None)).title == "crows and gifts.pdf"


@pytest.mark.parametrize("content_type", ["application/pdf", "text/html", "application/octet-stream", "image/png"])
def test_signature_counts_more_than_the_content_type(content_type: str) -> None:
    assert shown(make("words"), content_type) == "[Page 1]\nwords"


def test_signature_may_follow_other_bytes() -> None:
    assert "words" in shown(b"\n\n%junk\n" + make("words"))


def test_text_across_pages_can_be_quoted() -> None:
    env = BrowserEnv(FakeBackend([render(Document(URL, make("Crows bring", "gifts to people."), None))]))
    env.reset("What?")
    env.step("Search crows")
    env.step("Clicked on link 0")
    assert env.step("Quote: gifts to people").info.problem is None
    assert env.state.references[0].extract == "gifts to people"


def test_forged_markers_are_replaced() -> None:
    assert shown(make("\\226 zero\\000width", title="x")) is not None
    text = pdf._page(URL, "♦Title 【1†x】", ["♦Text\n【0†a†b.c】\u202e\u200b", "x"], 2)
    assert (text.title, text.text) == ("◆Title 〖1‡x〗", "[Page 1]\n◆Text\n〖0‡a‡b.c〗\n\n[Page 2]\nx")


def test_pdf_of_matplotlib_is_read() -> None:
    from matplotlib.figure import Figure

    figure, out = Figure(), BytesIO()
    figure.text(0.1, 0.5, "Crows bring gifts")
    figure.savefig(out, format="pdf")
    assert "Crows bring gifts" in shown(out.getvalue())


CROWS = make("Crows bring gifts.")
UNREADABLE = {
    "encrypted": (make("x", finish=lambda writer: writer.encrypt("secret", algorithm="RC4-128")), "is encrypted; it needs a password"),
    "scanned": (make("", ""), r"without text \(2 pages\): its pages are pictures"),
    "only a beginning": (b"%PDF-1.7\n", "broken"),
    "cut": (CROWS[: len(CROWS) // 3], "broken|without text"),
    "zeros": (b"%PDF-1.7\n" + bytes(10_000), "broken"),
    "too large": (b"%PDF-1.7\n" + bytes(20_000_000), "of more than 20 MB"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "message"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_unreadable_pdf_is_an_error_of_one_line(body: bytes, message: str) -> None:
    with pytest.raises(FetchError, match=message) as caught:
        shown(body)
    assert URL in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_pdf_with_an_empty_password_is_read() -> None:
    assert "words" in shown(make("words", finish=lambda writer: writer.encrypt("", "owner", algorithm="RC4-128")))


def test_damaged_pdfs_are_text_or_an_error() -> None:
    chance = random.Random(1)
    whole = make("Crows bring gifts.", "To people.")
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(chance.randrange(1, 20)):
            damaged[chance.randrange(9, len(damaged))] = chance.randrange(256)
        result = pdf.extract(bytes(damaged))
        assert isinstance(result, (str, dict))


def test_reading_stops_at_the_time_limit() -> None:
    result = pdf.extract(make(*["word"] * 5), max_seconds=0)
    assert isinstance(result, dict)
    assert (len(result["pages"]), result["num_pages"]) == (1, 5)  # type: ignore[arg-type]
    page = pdf._page(URL, "", ["word"], 5)
    assert page.text == "[Page 1]\nword\n\n[Page truncated: 1 of 5 pages]"
    assert page.notes == ("truncated",)


def test_endless_pdf_is_an_error_at_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "MAX_SECONDS", 0.05)
    with pytest.raises(FetchError, match=r"cannot be read within 0\.05 seconds"):
        shown(CROWS)


def test_pdf_that_needs_too_much_memory_is_an_error() -> None:
    bomb = make("x", finish=lambda writer: _bomb(writer))
    with pytest.raises(FetchError, match="is a PDF"):
        shown(bomb)


def _bomb(writer: PdfWriter) -> None:
    """Set the content of the first page to 200 MB, compressed to 200 kB."""
    from zlib import compressobj

    packer = compressobj()
    packed = b"".join(packer.compress(bytes(10_000_000)) for _ in range(20)) + packer.flush()
    content = DecodedStreamObject()
    content.set_data(packed)
    content[NameObject("/Filter")] = NameObject("/FlateDecode")
    writer.pages[0][NameObject("/Contents")] = writer._add_object(content)
