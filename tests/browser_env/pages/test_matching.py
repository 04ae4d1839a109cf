import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from browser_env.pages.matching import MAX_QUOTE_WORDS, find_next, find_quote, normal_form, normalize

FOUND = [
    ("same", "the cat sat", "cat", "cat"),
    ("case", "The CAT sat", "cat", "CAT"),
    ("sharp-s", "Die STRASSE hier", "straße", "STRASSE"),
    ("line-wrap", "an important\nsentence that wraps", "important sentence", "important\nsentence"),
    ("more-space", "a  b\t\n c", "a b c", "a  b\t\n c"),
    ("no-space", "a b c", "abc", "a b c"),
    ("curly-quotes", "it’s a “test” here", 'it\'s a "test"', "it’s a “test”"),
    ("dashes", "1990–2000 — on", "1990-2000 - on", "1990–2000 — on"),
    ("ellipsis", "and so on… then", "so on...", "so on…"),
    ("markers", "a 〖note〗 here", "【note】", "〖note〗"),
    ("ligature", "the ﬁle", "file", "ﬁle"),
    ("half-of-a-ligature", "the ﬁle", "le", "le"),
    ("e-acute-decomposed", "cafe\u0301 au lait", "café", "cafe\u0301"),
    ("e-acute-composed", "café au lait", "cafe\u0301", "café"),
    ("marks-in-other-order", "xa\u0323\u0301y", "a\u0301\u0323", "a\u0323\u0301"),
    ("whole-sequence", "résumé", "resume\u0301".replace("re", "ré", 1), "résumé"),
    ("soft-hyphen", "co\u00adoperate", "cooperate", "co\u00adoperate"),
    ("needle-with-zero-width", "cooperate", "co\u200boperate", "cooperate"),
    ("full-width", "ＡＢＣ now", "abc", "ＡＢＣ"),
    ("emoji", "go 🚀 now", "🚀 now", "🚀 now"),
    ("cjk", "東京の天気", "の天", "の天"),
    ("superscript-two", "E = mc²", "mc2", "mc²"),
    ("backquote", "the `src` argument", "'src'", "`src`"),
]


@pytest.mark.parametrize(("page", "text", "expected"), [row[1:] for row in FOUND], ids=[row[0] for row in FOUND])
def test_find_ignores_differences_of_writing_and_returns_the_text_of_the_page(page: str, text: str, expected: str) -> None:
    span = find_next(normalize(page), text, 0)
    assert span is not None
    assert page[slice(*span)] == expected


@pytest.mark.parametrize(
    ("page", "text"),
    [("the cat", "dog"), ("cafe", "café"), ("café", "cafe"), ("", "x"), ("x", ""), ("x", " \u200b"), ("a.b", "a,b")],
)
def test_other_text_is_not_found(page: str, text: str) -> None:
    assert find_next(normalize(page), text, 0) is None


def test_find_continues_from_an_offset_and_then_from_the_top() -> None:
    page = normalize("one two one two")
    assert find_next(page, "two", 0) == (4, 7)
    assert find_next(page, "two", 7) == (12, 15)
    assert find_next(page, "two", 15) == (4, 7)


QUOTES = [
    ("literal", "a b c d", "b c", "b c"),
    ("ends", "The first words here are many and the last words here. More.", "The first words━last words here.",
     "The first words here are many and the last words here."),
    ("long-single-words", "internationalization of documentation", "internationalization━documentation",
     "internationalization of documentation"),
    ("nearest-end", "begin with this one end of it and end of it", "begin with this━end of it", "begin with this one end of it"),
    ("over-lines", "start of the\nstory goes on\nuntil the very end", "start of the━the very end",
     "start of the\nstory goes on\nuntil the very end"),
    ("second-start-when-first-has-no-near-end",
     "once upon a " + "word " * MAX_QUOTE_WORDS + "once upon a short time ago", "once upon a━short time ago",
     "once upon a short time ago"),
]  # fmt: skip


@pytest.mark.parametrize(("page", "quote", "expected"), [row[1:] for row in QUOTES], ids=[row[0] for row in QUOTES])
def test_quote_finds_the_passage(page: str, quote: str, expected: str) -> None:
    span = find_quote(normalize(page), quote, 0)
    assert not isinstance(span, str), span
    assert page[slice(*span)] == expected


@pytest.mark.parametrize(
    ("quote", "reason"),
    [
        ("not there", "not on this page"),
        ("one two three━nine ten eleven twelve", "no passage"),
        ("four five six━one two three", "no passage"),
        ("one two━three four five", "each side"),
        ("one two three━", "each side"),
        ("━", "each side"),
        ("one two three━four five six━seven eight nine", "at most one"),
    ],
)
def test_a_quote_without_a_passage_has_a_reason(quote: str, reason: str) -> None:
    result = find_quote(normalize("one two three four five six seven eight nine"), quote, 0)
    assert isinstance(result, str)
    assert reason in result


def test_an_ambiguous_quote_is_the_first_from_the_offset_then_from_the_top() -> None:
    page = normalize("same words. other. same words. end")
    assert find_quote(page, "same words", 5) == (19, 29)
    assert find_quote(page, "same words", 25) == (0, 10)


words = st.text(alphabet="abcdeéßﬁ’“—…  \n\u0301\u0323İ東", max_size=60)


@given(words, st.data())
def test_every_span_of_whole_combining_sequences_is_found(page: str, data: st.DataObject) -> None:
    normal = normalize(page)
    assume(normal.text)
    borders = sorted({*normal.starts, *normal.ends})
    start, end = sorted(data.draw(st.tuples(st.sampled_from(borders), st.sampled_from(borders))))
    assume(normal_form(page[start:end]) and unicodedata.combining(page[start:][0]) == 0)
    span = find_next(normal, page[start:end], 0)
    assert span is not None
    assert normal_form(page[slice(*span)]) == normal_form(page[start:end])


@given(st.text())
def test_a_whole_text_is_found_in_itself_and_is_returned_without_outer_space(page: str) -> None:
    assume(normal_form(page))
    span = find_next(normalize(page), page, 0)
    assert span is not None
    assert normal_form(page[slice(*span)]) == normal_form(page)


@given(st.text(), st.text(alphabet=" \t\n\u200b\u00ad\u3000"))
def test_normal_form_is_idempotent_and_ignores_space(text: str, space: str) -> None:
    assert normal_form(normal_form(text)) == normal_form(text)
    assert normal_form(space + text + space) == normal_form(text)


@given(st.text())
def test_offsets_ascend_and_stay_within_the_text(page: str) -> None:
    normal = normalize(page)
    assert len(normal.text) == len(normal.starts) == len(normal.ends)
    assert list(normal.starts) == sorted(normal.starts)
    assert all(0 <= start < end <= len(page) for start, end in zip(normal.starts, normal.ends, strict=True))
