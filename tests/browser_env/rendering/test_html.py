"""Rules of rendering HTML, one row each, and properties of every page."""

import re
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_env.errors import FetchError
from browser_env.pages.characters import clean
from browser_env.pages.layout import lay_out
from browser_env.pages.page import Page
from browser_env.rendering.html import render_html
from browser_env.rendering.main_content import ReadingMode

URL = "https://a.com/d/page.html"


class Rule(NamedTuple):
    """The text of some HTML; its parts in ⟨⟩ are links to the addresses in `links`, in order."""

    name: str
    html: str
    text: str
    links: tuple[str, ...] = ()


WHITE_SPACE = [
    Rule("runs of white space are one space", "<p>  a   b\n\tc <b> d </b> e</p>", "a b c d e"),
    Rule("inline elements do not separate words", "<p>un<b>break</b>able</p>", "unbreakable"),
    Rule("a no-break space does not collapse", "a&nbsp;&nbsp;b &nbsp; c", "a  b   c"),
    Rule("no-break spaces indent a line", "def:<br>&nbsp;&nbsp;body<br>&nbsp;&nbsp;&nbsp; more", "def:\n  body\n    more"),
    Rule("a line of no-break spaces is empty", "a<br>&nbsp;<br>b", "a\n\nb"),
    Rule("br is a line break", "a<br>b<br/>c", "a\nb\nc"),
    Rule("there is one empty line at most", "a<br><br><br><br>b<p></p><p>&nbsp;</p><p>c", "a\n\nb\n\nc"),
    Rule("a br at the end of a block adds nothing", "<p>a<br></p><p>b</p>", "a\n\nb"),
    Rule("blocks are set apart", "<p>a<p>b<div>c<div>d</div></div>e<hr>f", "a\n\nb\n\nc\n\nd\n\ne\n\nf"),
    Rule("pages neither begin nor end with white space", "<p> </p>\n<p>a </p> &nbsp; ", "a"),
    Rule("lines do not end in white space", "a &nbsp;<br>b\u2003<p>c", "a\nb\n\nc"),
    Rule("carriage returns are line feeds", "<pre>a\r\nb\rc</pre>", "a\nb\nc"),
]
LISTS = [
    Rule("an unordered list has stars", "<ul><li>a<li>b</ul>", "* a\n* b"),
    Rule("an ordered list keeps its numbers", "<ol><li>a<li>b</ol>", "1. a\n2. b"),
    Rule("ol start and li value", "<ol start=3><li>a<li value=7>b<li>c</ol>", "3. a\n7. b\n8. c"),
    Rule("ol reversed", "<ol reversed><li>a<li>b<li>c</ol>", "3. a\n2. b\n1. c"),
    Rule("ol type", "<ol type=a start=26><li>x<li>y</ol><ol type=I start=4><li>x</ol>", "z. x\naa. y\n\nIV. x"),
    Rule("an unreadable number is ignored", "<ol start=x><li value=٣>a<li value=99999999999>b</ol>", "1. a\n2. b"),
    Rule("nested lists are indented", "<ul><li>a<ol><li>b<ul><li>c</ul></ol><li>d</ul>", "* a\n  1. b\n     * c\n* d"),
    Rule("a list alone in an item starts on its line", "<ul><li><ol><li>x</ol></ul>", "* 1. x"),
    Rule("paragraphs of an item stand under its text", "<ol><li><p>a</p><p>b</p><li>c</ol>", "1. a\n\n   b\n\n2. c"),
    Rule("lines of an item stand under its text", "<ul><li>a<br>b</ul>", "* a\n  b"),
    Rule("an empty item leaves no marker", "<ul><li>a<li><li> <li>b</ul>c", "* a\n* b\n\nc"),
    Rule("text between lists", "<p>p<ul><li>a</ul>q", "p\n\n* a\n\nq"),
    Rule("definitions are indented", "<dl><dt>t<dd>d<dt>u<dd>e<dd>f</dl>g", "t\n    d\nu\n    e\n    f\n\ng"),
    Rule("definitions in definitions", "<dl><dt>a<dd><dl><dt>b<dd>c</dl></dl>", "a\n    b\n        c"),
    Rule("a definition list in an item", "<ul><li>a<dl><dt>t<dd>d</dl></ul>", "* a\n  t\n      d"),
    Rule("an item outside a list", "<li>a<li>b", "* a\n* b"),
    Rule("a quotation is indented", "a<blockquote>b<p>c</blockquote>d", "a\n\n  b\n\n  c\n\nd"),
]
PREFORMATTED = [
    Rule("pre keeps spaces and empty lines", "<pre>\n  a\n\n\n    b  c\n</pre>d", "  a\n\n\n    b  c\n\nd"),
    Rule("elements in pre do not move its text", "<pre>if <b>x</b>:\n    <i>y</i>\n</pre>", "if x:\n    y"),
    Rule("tabs in pre stop at every eighth column", "<pre>a\tb\n\tc</pre>", "a       b\n        c"),
    Rule("pre in a list stands under its text", "<ul><li>a<pre>b\n  c</pre></ul>", "* a\n\n  b\n    c"),
    Rule("an inline style can be pre", "<div style='white-space: pre'>a  b\n c</div>d  e", "a  b\n c\n\nd e"),
    Rule("code is running text", "<code>a   b</code>", "a b"),
    Rule("a text area is preformatted", "<textarea>\na\n  b</textarea>", "a\n  b"),
]
CHARACTERS = [
    Rule("characters of the grammar are replaced", "【7†x†y】 ♦Text a━b ◼■", "〖7‡x‡y〗 ◆Text a─b ▪▪"),
    Rule("entities of the grammar are replaced", "&#9830;Quotes &#x3010;1&#x2020;x&#x3011;", "◆Quotes 〖1‡x〗"),
    Rule("invisible characters are dropped", "a\u200bb\u202ec\u00add\ufeff", "abcd"),
    Rule("control characters are dropped", "a\x01b&#1;c\x1fd", "abcd"),
    Rule("line separators are white space", "a\u2028b\x85c", "a b c"),
    Rule("emoji are kept", "😀 👩‍💻 ❤️", "😀 👩‍💻 ❤️"),
    Rule("combining marks are kept", "e\u0301 ä", "e\u0301 ä"),
    Rule("right-to-left text stays in logical order", "<p dir=rtl>שלום world</p>", "שלום world"),
    Rule("character references", "&lt;b&gt; &amp;nbsp; &hellip; &#8364;", "<b> &nbsp; … €"),
]
INLINE = [
    Rule("superscripts", "x<sup>2</sup> y<sup>10</sup> z<sup>a<b>b</b></sup>", "x^2 y^{10} z^{ab}"),
    Rule("subscripts", "H<sub>2</sub>O a<sub>ij</sub>", "H_2O a_{ij}"),
    Rule("an empty superscript is nothing", "x<sup></sup><sub> </sub>y", "x y"),
    Rule("a footnote mark has no braces", "w<sup><a href=#n>[1]</a></sup>", "w^⟨[1]⟩", ("https://a.com/d/page.html#n",)),
    Rule("images", "<img alt='A  cat'> <img> <img title=T>", "[Image: A cat] [Image] [Image: T]"),
    Rule(
        "decorative images and tracking pixels are nothing", "a<img alt=''><img width=1 height=1><img role=none alt=x>b", "ab"
    ),
    Rule("ruby is base(reading)", "<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>字", "漢(kan)字"),
    Rule("quotation marks", "<q>a</q>", "“a”"),
    Rule("MathML reads as its alternative text", "<math alttext='{\\displaystyle x^2}'><mi>x</mi></math> is", "x^2 is"),
    Rule(
        "MathML reads as its TeX",
        "<math><semantics><mi>y</mi><annotation encoding='application/x-tex'>\\alpha</annotation></semantics></math>.",
        "\\alpha.",
    ),
    Rule(
        "MathML without TeX reads as its parts",
        "<math><msup><mi>x</mi><mn>2</mn></msup><mo>+</mo><mfrac><mn>1</mn><mi>y</mi></mfrac><msub><mi>a</mi><mi>i</mi></msub></math>",
        "x^2+(1)/(y)a_i",
    ),
    Rule("a formula's image reads as its TeX", "<img aria-hidden=true alt='{\\displaystyle E=mc^{2}}'>", "E=mc^{2}"),
    Rule("buttons keep their text and stand apart", "<button>Go</button><button>No</button>", "Go No"),
    Rule(
        "a selection shows what is chosen", "a<select><option>x<option selected>y</select><select><option>z</select>", "a y z"
    ),
    Rule("other form controls have no text", "<label>Name <input value=v></label>", "Name"),
    Rule("details are open", "<details><summary>S</summary>body</details>", "S\nbody"),
    Rule("frames are dropped", "a<iframe src=x>inner</iframe>b", "ab"),
    Rule("noframes is shown", "<frameset><frame src=x></frameset><noframes>n</noframes>", "n"),
    Rule("drawings keep their text alone", "<svg><title>t</title><desc>d</desc><text>a</text><text>b</text></svg>", "a b"),
    Rule("fallback content is kept", "<video>no video</video>", "no video"),
]
HIDDEN = [
    Rule("display:none", "a<p style='color:red; DISPLAY : none !important'>x</p>b", "ab"),
    Rule("hidden", "a<span hidden>x</span><span hidden=until-found>y</span>", "ay"),
    Rule("aria-hidden", "a<i aria-hidden=true>x</i><i aria-hidden=false>y</i>", "ay"),
    Rule("visibility:hidden", "a<i style='visibility:hidden'>x</i>", "a"),
    Rule("font-size:0", "a<i style='font-size:0px'>x</i><i style='font-size:0.9em'>y</i>", "ay"),
    Rule("text in the colour behind it", "<p style='background:#FFF'>a<b style='color:rgb(255, 255, 255)'>x</b>b", "ab"),
    Rule("text in its own background", "a<b style='color:black;background-color:#000'>x</b><b style='color:red'>y</b>", "ay"),
    Rule("a background ends with its element", "<p style='background:#000'>a</p><b style='color:#000'>b</b>", "a\n\nb"),
    Rule(
        "noscript, template, comments, scripts, styles",
        "a<noscript>n</noscript><template>t</template><!--c--><style>s</style>",
        "a",
    ),
    Rule(
        "hidden rows and cells of a table",
        "<table><tr><th>a<th>b<th hidden>x<tr hidden><td>y<tr><td>c<td>d</table>",
        "a | b\nc | d",
    ),
    Rule("the body is never hidden", "<body style='display:none'>a</body>", "a"),
    Rule("the head is not shown", "<head><title>t</title><meta name=x content=y></head>a", "a"),
]
LINKS = [
    Rule("relative addresses", "<a href=../x?y=1#z>t</a>", "⟨t⟩", ("https://a.com/x?y=1#z",)),
    Rule("base href", "<base href=/b/><base href=/c/><a href=x>t</a>", "⟨t⟩", ("https://a.com/b/x",)),
    Rule("base href on another host", "<base href=//b.org/><a href=x>t</a>", "⟨t⟩", ("https://b.org/x",)),
    Rule(
        "only http and https with a host",
        "".join(
            f"<a href='{a}'>t</a> "
            for a in ("tel:1", "data:,x", "javascript:x()", "mailto:a@b.c", "blob:x", "file:///x", "http:///x", "ftp://a.b")
        ),
        "t t t t t t t t",
    ),
    Rule(
        "no credentials, no odd hosts, no odd ports",
        "".join(
            f"<a href='{a}'>t</a> "
            for a in ("http://u:p@b.com", "http://b†c.com", "http://[x", "http://b.com:x", "http://b.com:99999")
        ),
        "t t t t t",
    ),
    Rule("addresses with white space", "<a href=' /a b\n'>t</a>", "⟨t⟩", ("https://a.com/a%20b",)),
    Rule(
        "a link across lines is one link a line",
        "<a href=/x>a <div>b <br>c</div></a>",
        "⟨a⟩\n\n⟨b⟩\n⟨c⟩",
        ("https://a.com/x",) * 3,
    ),
    Rule("a link holds no white space at its ends", "a<a href=/x> b <b>c</b> </a>d", "a ⟨b c⟩ d", ("https://a.com/x",)),
    Rule(
        "links in links are apart", "<a href=/x>a <a href=/y>b</a> c</a>", "⟨a⟩ ⟨b⟩ c", ("https://a.com/x", "https://a.com/y")
    ),
    Rule("a table ends a link", "<a href=/x>a<table><tr><th>b<th>c</table>d</a>", "⟨a⟩\n\nb | c\n\nd", ("https://a.com/x",)),
    Rule("a link without text is named by its label", "<a href=/x aria-label=Close></a>", "⟨Close⟩", ("https://a.com/x",)),
    Rule("or by its title", "<a href=/x title=Home><i class=icon></i></a>", "⟨Home⟩", ("https://a.com/x",)),
    Rule("or by its image", "<a href=/x><img alt=Logo></a>", "⟨Logo⟩", ("https://a.com/x",)),
    Rule("or by its drawing", "<a href=/x><svg><title>Find</title></svg></a>", "⟨Find⟩", ("https://a.com/x",)),
    Rule("or it is an image", "<a href=/x><img></a>", "⟨[Image]⟩", ("https://a.com/x",)),
    Rule("or it is nothing", "a<a href=/x></a><a href=/y><img alt=''></a>b", "ab"),
    Rule(
        "an image beside text keeps its mark",
        "<a href=/x><img alt=Logo> Home</a>",
        "⟨[Image: Logo] Home⟩",
        ("https://a.com/x",),
    ),
    Rule(
        "tracking parameters do not make another link",
        "<a href=/x?utm_source=a>t</a> <a href=/x?utm_source=b>u</a>",
        "⟨t⟩ ⟨u⟩",
        ("https://a.com/x?utm_source=a",) * 2,
    ),
    Rule("permalinks of headings are dropped", "<h2>a<a href=#a>¶</a></h2>", "a"),
    Rule("areas of an image map", "<map><area href=/x alt=North><area href=/y></map>", "⟨North⟩", ("https://a.com/x",)),
]
TABLES = [
    Rule("data tables", "<table><tr><th>Year<th>Pop<tr><td>2020<td>5</table>", "Year | Pop\n2020 | 5"),
    Rule("data tables without headers", "<table><tr><td>Year<td>Pop<tr><td>2020<td>5</table>", "Year | Pop\n2020 | 5"),
    Rule("captions and sections", "<table><caption>C</caption><thead><tr><th>a<th>b</thead><tbody><tr><td>1<td>2</tbody></table>d", "C\na | b\n1 | 2\n\nd"),
    Rule("colspan and rowspan", "<table><tr><th>a<th colspan=2>b<tr><td rowspan=2>x<td>1<td>2<tr><td>3<td>4</table>", "a | b | b\nx | 1 | 2\nx | 3 | 4"),
    Rule("a heading across the table is shown once", "<table><tr><th colspan=2>Europe<tr><th>a<th>b<tr><td>1<td>2</table>", "Europe\na | b\n1 | 2"),
    Rule("absurd spans are ignored", "<table><tr><th colspan=1000 rowspan=1000>a<th>b<tr><td rowspan=0>c<td colspan=-1>d</table>", "a | b\nc | d"),
    Rule("empty cells, rows and columns", "<table><tr><th><th><th>a<tr><td>1<td> <td>2<tr><td><td><td><tr><td>3</table>", "| a\n1 | 2\n3"),
    Rule("cells are one line", "<table><tr><th>a<th>b<tr><td><p>x</p><p>y</p><td>p<br>q</table>", "a | b\nx y | p q"),
    Rule("links in cells", "<table><tr><th>a<th>b<tr><td>x <a href=/y>y</a><td><a href=/z>z</a></table>", "a | b\nx ⟨y⟩ | ⟨z⟩", ("https://a.com/y", "https://a.com/z")),
    Rule("lists and code in cells are one line", "<table><tr><th>a<th>b<tr><td><ol><li>x<li>y</ol><td><pre>p\n  q</pre></table>", "a | b\n1. x 2. y | p q"),
    Rule("forms in cells make a layout", "<table><tr><th>a<th>b<tr><td><form>c</form><td>d</table>", "a b\n\nc\n\nd"),
    Rule("without a header, long cells make a layout", f"<table><tr><td>a<td>b<tr><td>c<td>{'d ' * 100}</table>", f"a b\nc {'d ' * 100}".strip()),
    Rule("without a header, spans make a layout", "<table><tr><td colspan=2>a<td>b<tr><td>c<td>d</table>", "a b\nc d"),
    Rule("without a header, blocks in cells make a layout", "<table><tr><td>a<td>b<tr><td><p>c</p><td>d</table>", "a b\n\nc\n\nd"),
    Rule("other elements between cells and rows make a layout", "<table><tr><b>x</b><th>a<th>b</table><table><div>y</div><tr><th>a<th>b</table>", "xa b\n\ny\n\na b"),
    Rule("text between cells makes a layout", "<table><tr>x<th>a<th>b</table>", "xa b"),
    Rule("scripts and columns in a table are nothing", "<table><col><script>x</script><tr><script>y</script><th>a<th>b</table>", "a | b"),
    Rule("one row is a layout", "<table><tr><td>a<td>b</table>", "a b"),
    Rule("one column is a layout", "<table><tr><th>a<tr><td>b</table>", "a\nb"),
    Rule("a role of presentation is a layout", "<table role=presentation><tr><th>a<th>b<tr><td>c<td>d</table>", "a b\nc d"),
    Rule("a table in a table makes a layout", "<table><tr><td>a<td><table><tr><th>b<th>c<tr><td>1<td>2</table></table>", "a\n\nb | c\n1 | 2"),
    Rule("text outside the cells makes a layout", "<table><tr><th>a<th>b</tr>x<tr><td>c<td>d</table>", "a b\nx\nc d"),
    Rule("cells of several lines are lines", "<table><tr><td>a<br>b<td>c</table>", "a\nb\nc"),
    Rule("headers are repeated, rows capped", "<table><tr><th>n<th>m" + "<tr><td>1<td>2" * 250 + "</table>", "\n".join(["n | m", *["1 | 2"] * 30] * 6 + ["n | m"] + ["1 | 2"] * 19 + ["[Table truncated: 200 of 251 rows]"])),
]  # fmt: skip
BROKEN = [
    Rule("an empty page", "", ""),
    Rule("white space", " \n ", ""),
    Rule("an XML declaration", '<?xml version="1.0" encoding="utf-8"?><html><body>a</body></html>', "a"),
    Rule("text after the end", "<html><body>a</body></html><p>b", "a\n\nb"),
    Rule("misnested elements", "<b><i>a</b>b</i>c", "abc"),
    Rule("unclosed elements", "<div><p><a href=/x>a", "⟨a⟩", ("https://a.com/x",)),
    Rule("a null and a lone surrogate", "a\x00b\ud800c", "abc"),
    Rule("plain text", "a < b && c > d", "a < b && c > d"),
    Rule("unknown elements", "<x-y>a</x-y><o:p>b</o:p>", "ab"),
]
RULES = [*WHITE_SPACE, *LISTS, *PREFORMATTED, *CHARACTERS, *INLINE, *HIDDEN, *LINKS, *TABLES, *BROKEN]


def shown(page: Page) -> str:
    """The text with its links in ⟨⟩."""
    parts, end = [], 0
    for link in page.links:
        parts += [page.text[end : link.start], "⟨", page.text[link.start : link.end], "⟩"]
        end = link.end
    return "".join([*parts, page.text[end:]])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_text_and_links(rule: Rule) -> None:
    page = render_html(rule.html, URL)
    assert shown(page) == rule.text
    assert tuple(link.url for link in page.links) == rule.links


@pytest.mark.parametrize(
    ("name", "html", "title"),
    [
        ("title", "<title> A\n b </title><h1>c</h1>", "A b"),
        ("markers in the title", "<title>【1†a】</title>", "〖1‡a〗"),
        ("og:title", "<title> </title><meta property=og:title content=B><h1>c</h1>", "B"),
        ("h1", "<h2>x</h2><h1>C <i>d</i></h1>", "C d"),
        ("the highest heading", "<h3>x</h3><h2>y</h2>", "y"),
        ("domain", "<p>x", "a.com"),
        ("not that of a drawing", "<svg><title>x</title></svg><h1>c</h1>", "c"),
        ("a long one is cut", f"<title>{'x' * 1000}</title>", "x" * 300),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 30 and "<" not in value else "",
)
def test_title(name: str, html: str, title: str) -> None:
    assert render_html(html, URL).title == title


def test_title_of_a_page_without_a_domain_is_its_address() -> None:
    assert render_html("x", "file:///docs/the%20guide.html").title == "the guide.html"


def test_anchors_are_at_the_start_of_the_next_text() -> None:
    html = "<h1 id=top>Top</h1><a name=n></a><p>see <b id=b>this</b><table><tr id=r><th>x<th id=c>y</table><i id=end></i>"
    page = render_html(html, URL)
    places = {name: page.text[offset:].split("\n")[0] for name, offset in page.anchors}
    assert places == {"top": "Top", "n": "see this", "b": "this", "r": "x | y", "c": "y", "end": ""}


def test_headings_and_terms_are_noted() -> None:
    page = render_html("<h2>A <i>b</i></h2>c<dl><dt>D<dd>e</dl><h3></h3><div role=heading>F</div>", URL)
    assert [page.text[start:end] for start, end in page.headings] == ["A b", "D", "F"]


def test_hidden_text_is_counted() -> None:
    html = "a<p hidden>b<p hidden>c</p></p><p hidden></p><table><tr><th>x<th style='display:none'>y<th>z</table>"
    assert render_html(html, URL).notes == ("3 hidden",)


LONG = "<p>" + "lorem ipsum dolor sit amet " * 20


@pytest.mark.parametrize(
    "dialog",
    [
        "<div role=dialog>C</div>",
        "<div aria-modal=true>C</div>",
        "<dialog open>C</dialog>",
        "<div id=onetrust-banner-sdk>C</div>",
    ],
)
def test_dialog_is_dropped_unless_the_page_has_no_other_text(dialog: str) -> None:
    assert "C" not in render_html(dialog + LONG, URL).text
    page = render_html(dialog + "<p>short", URL)
    assert page.text == "C\n\nshort"
    assert page.notes == ("consent_wall",)


def test_not_found_page_with_a_status_of_200_is_flagged() -> None:
    assert render_html("<title>404</title>Sorry", URL).notes == ("soft_404",)
    assert render_html("<h1>Page not found</h1>" + LONG * 3, URL).notes == ()


SCRIPT = "<script>" + "x();" * 500 + "</script>"


@pytest.mark.parametrize(
    ("name", "html", "text"),
    [
        (
            "JSON-LD",
            '<script type="application/ld+json">{"@graph": [{"articleBody": "One <b>x</b>.\\nTwo."}]}</script>',
            "One x.\n\nTwo.",
        ),
        (
            "Next.js",
            '<script id=__NEXT_DATA__>{"props": ["/a", {"b": "A sentence that is long enough to be read as prose by a person."}]}</script>',
            "A sentence that is long enough to be read as prose by a person.",
        ),
        ("its summary", "<meta property=og:description content='It is about x.'>", "It is about x."),
    ],
)  # fmt: skip
def test_a_page_that_needs_javascript_is_read_from_its_data(name: str, html: str, text: str) -> None:
    page = render_html(f"{html}<div id=root></div>{SCRIPT}", URL)
    assert page.text == text
    assert page.notes == ("embedded",)


@pytest.mark.parametrize(
    ("name", "html"),
    [
        ("mostly script", SCRIPT),
        ("an empty application", "<p>Loading</p><div id=root></div><script src=x></script>"),
        ("noscript", "<noscript>Please enable scripts</noscript><script src=x></script>"),
        ("broken data", f"{SCRIPT}<script type='application/ld+json'>{'[' * 100_000}</script>"),
    ],
)
def test_a_page_that_needs_javascript_and_has_no_data_is_an_error(name: str, html: str) -> None:
    with pytest.raises(FetchError, match="needs JavaScript"):
        render_html(html, URL)


def test_a_short_page_without_scripts_is_a_page() -> None:
    assert render_html("<noscript><img src=x></noscript><p>Short", URL).text == "Short"


ARTICLE = f"<article><header><h1>Title</h1></header>{LONG}<a href=/in>link</a> text{LONG}<aside>ad</aside></article>"
CHROME = "<nav><a href=/n>nav</a></nav><header>site</header><form>search</form>"


@pytest.mark.parametrize(
    ("name", "html"),
    [
        ("main", f"{CHROME}<main>{ARTICLE}</main><footer>foot</footer>"),
        ("role=main", f"{CHROME}<div role=main>{ARTICLE}</div><div role=contentinfo>foot</div>"),
        ("the only article", f"{CHROME}<div>{ARTICLE}</div><footer>foot</footer>"),
        (
            "the block with the text",
            f"{CHROME}<div><div><h1>Title</h1>{LONG}<a href=/in>link</a> text{LONG}</div><div>ad</div></div>",
        ),
        ("without blocks of links", f"<div>{LONG}<a href=/in>link</a> text{LONG}<ul><li><a href=/n>nav</a><li><a href=/m>foot</a></ul></div>"),
    ],
)  # fmt: skip
def test_reader_keeps_the_main_content_with_its_links(name: str, html: str) -> None:
    page = render_html(html, URL, mode="reader")
    assert page.notes == ("reader",)
    assert [link.url for link in page.links] == ["https://a.com/in"]
    assert page.text.count("lorem") == 40
    assert not set(re.findall(r"\w+", page.text)) & {"nav", "site", "search", "ad", "foot"}


def test_reader_falls_back_to_the_full_page() -> None:
    html = f"<main>Short.</main>{LONG}"
    assert render_html(html, URL, mode="reader") == render_html(html, URL)


def test_collection_can_allow_other_addresses() -> None:
    html = "<a href=b.html>b</a> <a href=/etc/passwd>c</a>"
    page = render_html(html, "file:///docs/a.html", followable=lambda url: url.startswith("file:///docs/"))
    assert [link.url for link in page.links] == ["file:///docs/b.html"]


@pytest.mark.parametrize(
    "html", ["<div>" * 50_000, "<ul><li>" * 25_000, "<table><tr><td>" * 16_000, "<b><sup>" * 25_000], ids=len
)
@pytest.mark.parametrize("mode", ["full", "reader"])
def test_fifty_thousand_levels(html: str, mode: ReadingMode) -> None:
    assert "deep" in render_html(f"{html}deep", URL, mode=mode).text


def test_twenty_megabytes_are_cut_at_a_block() -> None:
    page = render_html("<p>one two three</p>" * 1_000_000, URL)
    assert page.text.endswith("one two three\n\n[Page truncated: 5.0 MB of 20.0 MB]")
    assert page.notes == ("truncated",)


def test_too_many_elements_are_cut() -> None:
    page = render_html("<i>x</i>" * 400_000, URL)
    assert page.text.endswith("x\n\n[Page truncated: 2.4 MB of 3.2 MB]")


def test_end_tags_without_a_start_do_not_take_forever() -> None:
    page = render_html("<div>" * 100_000 + "</span>" * 400_000, URL)
    assert page.notes == ("truncated",)


TAGS = [
    "p",
    "div",
    "span",
    "b",
    "li",
    "ul",
    "ol",
    "dl",
    "dt",
    "dd",
    "h2",
    "blockquote",
    "section",
    "sup",
    "td",
    "pre",
    "q",
    "a href=/x",
]
NODES = st.recursive(
    st.just("WORD "),
    lambda inner: st.tuples(st.sampled_from(TAGS), st.lists(inner, max_size=4)).map(
        lambda pair: f"<{pair[0]}>{''.join(pair[1])}</{pair[0].split()[0]}>"
    ),
    max_leaves=30,
)
CELLS = st.sampled_from(["<td>WORD", "<th>WORD", "<td colspan=2>WORD", "<td rowspan=3>WORD", "<td>", "<td><a href=/y>WORD</a>"])
TABLES_OF_WORDS = st.lists(st.lists(CELLS, max_size=5).map("".join).map("<tr>{}".format), max_size=6).map("".join)
PAGES = st.lists(NODES | TABLES_OF_WORDS.map("<table>{}</table>".format), max_size=6).map("".join)


def with_distinct_words(html: str) -> tuple[str, list[str]]:
    """Replace each WORD by a distinct word; returns the HTML and the words."""
    first, *parts = html.split("WORD")
    words = [f"w{number}w" for number in range(len(parts))]
    return first + "".join(word + part for word, part in zip(words, parts, strict=True)), words


@given(PAGES)
def test_every_visible_word_survives(html: str) -> None:
    html, words = with_distinct_words(html)
    text = render_html(html, URL).text
    assert [word for word in words if word not in text] == []


def assert_well_formed(page: Page) -> None:
    """Check the properties that every page has."""
    assert clean(page.text) == page.text
    assert page.text == page.text.strip("\n")
    assert all(line == line.rstrip() for line in page.text.split("\n"))
    end = 0
    for link in page.links:
        assert end <= link.start < link.end <= len(page.text)
        linked = page.text[link.start : link.end]
        assert linked == linked.strip()
        assert "\n" not in linked
        end = link.end
    for start, end in page.headings:
        assert 0 <= start < end <= len(page.text)
    assert all(0 <= offset <= len(page.text) for _, offset in page.anchors)


@given(PAGES)
def test_pages_are_well_formed(html: str) -> None:
    html, _ = with_distinct_words(html)
    assert_well_formed(render_html(html, URL))
    assert_well_formed(render_html(html, URL, mode="reader"))


@given(PAGES)
def test_without_link_markers_what_is_shown_is_the_text(html: str) -> None:
    page = render_html(with_distinct_words(html)[0], URL)
    lines = lay_out(page, 100_000).lines
    assert re.sub("【\\d+†([^†】]*)】", r"\1", "\n".join(lines)) == page.text


@given(st.text() | st.text("<>/=&#;\"' abdiloprtu\n\t\xa0【†】♦\ud800\x00"))
def test_any_text_is_a_well_formed_page(html: str) -> None:
    assert_well_formed(render_html(html, URL))
