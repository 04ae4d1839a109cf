import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from browser_env.pages.layout import lay_out, marker
from browser_env.pages.page import Link, Page


def linked(text: str, *targets: str) -> Page:
    """Make a page whose links are the parts of `text` in square brackets, with the given addresses in order."""
    links, plain = [], ""
    urls = iter(targets)
    for index, part in enumerate(re.split(r"[\[\]]", text)):
        if index % 2:
            links.append(Link(len(plain), len(plain) + len(part), next(urls)))
        plain += part
    return Page("http://here.org/", "t", plain, tuple(links))


LAYOUTS = [
    ("empty", linked(""), 20, []),
    ("short", linked("one line"), 20, ["one line"]),
    ("blank-line", linked("a\n\nb"), 20, ["a", "", "b"]),
    ("wrapped", linked("the quick brown fox jumps"), 20, ["the quick brown fox", "jumps"]),
    ("exactly-full", linked("the quick brown foxy jumps"), 20, ["the quick brown foxy", "jumps"]),
    ("long-word-is-cut", linked("x" * 45), 20, ["x" * 20, "x" * 20, "x" * 5]),
    ("long-word-after-short", linked("ab " + "x" * 21), 20, ["ab", "x" * 20, "x"]),
    ("indentation-stays", linked("    four spaces"), 20, ["    four spaces"]),
    ("indented-long-word", linked("    " + "x" * 20), 20, ["    " + "x" * 16, "    " + "x" * 4]),
    ("indentation-holds-for-all-lines", linked("    the quick brown fox jumps"), 20, ["    the quick brown", "    fox jumps"]),
    ("inner-space-stays", linked("a    b"), 20, ["a    b"]),
    ("deep-indentation-is-cut", linked(" " * 100 + "deep"), 20, [" " * 10 + "deep"]),
    ("wide-characters", linked("東京東京東京東京東京東京"), 20, ["東京東京東京東京東京", "東京"]),
    ("combining-marks-take-no-cell", linked("e\u0301" * 20), 20, ["e\u0301" * 20]),
    ("link-of-the-same-domain", linked("see [it] now", "http://here.org/x"), 40, ["see 【0†it】 now"]),
    ("link-elsewhere", linked("see [it].", "http://there.org/x"), 40, ["see 【0†it†there.org】."]),
    ("a-marker-is-never-broken", linked("seen [a b c d e f] x", "http://here.org/x"), 20, ["seen", "【0†a b c d e f】 x"]),
    ("a-marker-longer-than-a-line", linked("[" + "w " * 15 + "w] x", "http://here.org/x"), 20, ["【0†" + "w " * 15 + "w】", "x"]),
    ("what-touches-a-marker-stays-with-it", linked("one two ([three], [four]).", "http://here.org/3", "http://here.org/4"), 22,
     ["one two (【0†three】,", "【1†four】)."]),
    ("same-address-same-id", linked("[a] [b] [c]", "http://here.org/x", "http://here.org/y", "http://here.org/x"), 60,
     ["【0†a】 【1†b】 【0†c】"]),
]  # fmt: skip


@pytest.mark.parametrize(("page", "width", "expected"), [row[1:] for row in LAYOUTS], ids=[row[0] for row in LAYOUTS])
def test_lines(page: Page, width: int, expected: list[str]) -> None:
    assert list(lay_out(page, width).lines) == expected


def test_each_line_has_the_offset_of_its_start() -> None:
    page = linked("the quick [brown] fox jumps\n\n  over the lazy dog that sleeps", "http://here.org/x")
    layout = lay_out(page, 20)
    assert [page.text[start : start + 4] for start in layout.starts] == ["the ", "brow", "jump", "\n  o", "  ov", "that"]
    assert [layout.line_at(page.text.index(word)) for word in ("quick", "jumps", "over", "sleeps")] == [0, 2, 4, 5]


texts = st.text(alphabet="ab é東\n\t ([", max_size=200)


@st.composite
def pages(draw: st.DrawFn) -> Page:
    text = draw(texts)
    links, end = [], 0
    while end < len(text):
        start = draw(st.integers(end, len(text)))
        end = draw(st.integers(start, min(len(text), start + 8)))
        if start == end or "\n" in text[start:end]:
            break
        links.append(Link(start, end, f"http://{draw(st.sampled_from('ab'))}.org/{draw(st.integers(0, 3))}"))
    return Page("http://a.org/", "t", text, tuple(links))


@given(pages(), st.integers(20, 60))
def test_wrapping_changes_white_space_only_and_breaks_no_marker(page: Page, width: int) -> None:
    layout = lay_out(page, width)
    marked, done = "", 0
    for link in page.links:
        marked += page.text[done : link.start] + marker(page, link)
        done = link.end
    marked += page.text[done:]
    assert re.sub(r"\s", "", "".join(layout.lines)) == re.sub(r"\s", "", marked)
    for line in layout.lines:
        assert line.count("【") == line.count("】")
        assert "【" in line or cell_len(line) <= width
    assert list(layout.starts) == sorted(layout.starts)
    assert len(layout.starts) == len(layout.lines)


@given(pages())
def test_link_ids_are_dense_and_unique(page: Page) -> None:
    assert sorted(page.link_ids.values()) == list(range(len(page.link_urls)))
    assert {link.url for link in page.links} == set(page.link_urls)


def test_layouts_are_cached() -> None:
    page = linked("a b c")
    assert lay_out(page, 30) is lay_out(page, 30)
