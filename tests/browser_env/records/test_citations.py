from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_env.pages.words import words
from browser_env.records import Reference
from browser_env.records.citations import check_citations, cited_numbers, split_sentences, support


def reference(extract: str, title: str = "T") -> Reference:
    return Reference(title=title, url="http://a.org/", extract=extract, page="0" * 16, start=0, end=len(extract))


CROWS = reference(
    "Many animals give gifts to members of their own species but crows are the only ones known to give gifts to humans."
)
COPYTREE = reference("Recursively copy a directory tree and return the destination directory.", "shutil")

CITATIONS: list[tuple[str, str, tuple[int, ...]]] = [
    ("one", "so [1].", (1,)),
    ("list", "so [1, 3].", (1, 3)),
    ("list-with-semicolon", "so [1;3].", (1, 3)),
    ("row", "so [1][2].", (1, 2)),
    ("range", "so [1-3].", (1, 2, 3)),
    ("range-with-a-dash", "so [2–4, 7].", (2, 3, 4, 7)),
    ("each-once-in-order", "so [3][1, 3].", (3, 1)),
    ("attached-to-a-word", "gifts[1].", (1,)),
    ("white-space", "so [ 1 , 2 ].", (1, 2)),
    ("markdown-link", "so [1](http://a.org/).", (1,)),
    ("zero-is-a-number", "so [0].", (0,)),
    ("year", "so [2021].", ()),
    ("backward-range", "so [3-1].", ()),
    ("huge-range", "so [1-999].", ()),
    ("double-range", "so [1-2-3].", ()),
    ("word", "so [a] and [1a].", ()),
    ("other-digits", "so [１].", ()),
    ("inline-code", "so `x[1]` is.", ()),
    ("block-of-code", "so\n```\nx[1]\n```\n", ()),
    ("unclosed-block-of-code", "so\n```\nx[1]\n", ()),
]


@pytest.mark.parametrize(("text", "numbers"), [case[1:] for case in CITATIONS], ids=[case[0] for case in CITATIONS])
def test_citations_are_read(text: str, numbers: tuple[int, ...]) -> None:
    assert cited_numbers(text) == numbers


SENTENCES: list[tuple[str, str, list[str]]] = [
    ("empty", "", []),
    ("no-words", " -- [1] …\n", []),
    ("two", "It is. It was.", ["It is.", "It was."]),
    ("no-point-at-the-end", "It is. It was", ["It is.", "It was"]),
    ("question-and-exclamation", "Is it? Yes! No…  Well.", ["Is it?", "Yes!", "No…", "Well."]),
    ("quotation-marks", 'He said "Go." She went.', ['He said "Go."', "She went."]),
    ("citation-inside", "It is [1]. It was.", ["It is [1].", "It was."]),
    ("citation-after", "It is. [1] It was.", ["It is. [1]", "It was."]),
    ("citation-attached", "It is.[1][2] It was.", ["It is.[1][2]", "It was."]),
    ("citation-then-point", "It is. [1]. It was.", ["It is. [1].", "It was."]),
    ("citation-on-the-next-line", "It is.\n[1]\nIt was.", ["It is.\n[1]", "It was."]),
    ("citation-in-the-next-paragraph", "It is.\n\n[1]", ["It is.\n\n[1]"]),
    ("list-of-sources", "It is [1].\n[1] Title\n[2] Other", ["It is [1].", "[1] Title", "[2] Other"]),
    ("decimal", "Pi is 3.14. It is not 3.", ["Pi is 3.14.", "It is not 3."]),
    ("dotted-name", "Use os.path.join here. It joins.", ["Use os.path.join here.", "It joins."]),
    ("sentence-begins-with-a-dotted-name", "Use it. os.path.join joins.", ["Use it.", "os.path.join joins."]),
    ("sentence-begins-with-a-call", "Use it. copytree() copies.", ["Use it.", "copytree() copies."]),
    ("sentence-begins-with-code", "Use it. `x` is.", ["Use it.", "`x` is."]),
    ("points-in-code", "Use `a. B. C` here. Done.", ["Use `a. B. C` here.", "Done."]),
    ("version", "Since Python 3.11. It changed.", ["Since Python 3.11.", "It changed."]),
    ("abbreviation", "Birds, e.g. Crows, cf. Ravens. They fly.", ["Birds, e.g. Crows, cf. Ravens.", "They fly."]),
    ("abbreviation-before-small-letter", "Crows etc. are birds.", ["Crows etc. are birds."]),
    ("abbreviation-that-ends", "Crows, ravens etc. They fly.", ["Crows, ravens etc.", "They fly."]),
    ("title", "Dr. Smith met Mrs. Jones. They left.", ["Dr. Smith met Mrs. Jones.", "They left."]),
    ("initials", "It is by George W. Bush. J. Doe read it.", ["It is by George W. Bush.", "J. Doe read it."]),
    ("letter-that-ends", "It is vitamin C. It helps.", ["It is vitamin C.", "It helps."]),
    ("country", "The U.S. Senate voted. It passed.", ["The U.S. Senate voted.", "It passed."]),
    ("number-sign", "See No. 5 on p. 7. The answer is no. It is.", ["See No. 5 on p. 7.", "The answer is no.", "It is."]),
    ("list-items", "- one\n- two. Three.\n* four", ["one", "two.", "Three.", "four"]),
    ("numbered-items", "Steps:\n1. Go\n2. Come", ["Steps:", "Go", "Come"]),
    ("wrapped-line", "It is\nwrapped. It was.", ["It is\nwrapped.", "It was."]),
    ("paragraphs", "Title\n\nIt is.", ["Title", "It is."]),
    ("code-block", "See:\n```\nx. Y.\n```\nDone.", ["See:\n```\nx. Y.\n```", "Done."]),
    ("full-width-stops", "東京は大きい。[1] 人が多い。", ["東京は大きい。[1]", "人が多い。"]),
]


@pytest.mark.parametrize(("text", "sentences"), [case[1:] for case in SENTENCES], ids=[case[0] for case in SENTENCES])
def test_sentences_are_split(text: str, sentences: list[str]) -> None:
    assert [text[start:end] for start, end in split_sentences(text)] == sentences


SUPPORT: list[tuple[str, str, str, float]] = [
    ("verbatim", "Crows give gifts to humans.", "Only crows give gifts to humans.", 1.0),
    ("half", "Crows eat apples daily.", "Crows eat.", 0.5),
    ("none", "Crows fly.", "Python is a language.", 0.0),
    ("other-forms", "It copies directories, returning trees.", "Copy a directory; return the tree.", 1.0),
    ("repeated-words-need-repetition", "crow crow crow crow", "crow", 0.25),
    ("negation-counts", "It does not delete files.", "It deletes files.", 2 / 3),
    ("stop-words-alone-are-compared-too", "It is so.", "It is not so.", 1.0),
    ("parts-of-names", "os.path.join joins.", "join: joins paths of os.path", 1.0),
    ("no-words", "…", "crow", 0.0),
    ("no-evidence", "Crows fly.", "", 0.0),
]


@pytest.mark.parametrize(("sentence", "evidence", "score"), [case[1:] for case in SUPPORT], ids=[case[0] for case in SUPPORT])
def test_support_is_the_share_of_content_words(sentence: str, evidence: str, score: float) -> None:
    assert support(sentence, evidence) == pytest.approx(score)


def test_a_sentence_is_compared_with_all_references_that_it_cites() -> None:
    check = check_citations("Crows give gifts and copy a directory [1, 2]. Crows give gifts [2].", [CROWS, COPYTREE])
    assert [sentence.support for sentence in check.sentences] == [1.0, 0.0]
    assert [sentence.text for sentence in check.sentences] == ["Crows give gifts and copy a directory.", "Crows give gifts."]
    assert check.support == 0.5
    assert check.is_supported


def test_citations_without_a_reference_are_reported_and_give_no_support() -> None:
    check = check_citations("Crows give gifts [2]. They are known [0][1]. It is so.", [CROWS])
    assert check.unknown == (0, 2)
    assert check.citations == (1,)
    assert [sentence.unknown for sentence in check.sentences] == [(2,), (0,), ()]
    assert [sentence.text for sentence in check.uncited] == ["Crows give gifts.", "It is so."]
    assert check.sentences[0].support == 0.0


UNSUPPORTED = [
    ("empty", ""),
    ("no-citation", "Crows give gifts."),
    ("out-of-range", "Crows give gifts [2]."),
    ("nothing-but-a-citation", "[1]"),
    ("citation-in-code", "Crows `[1]` give gifts."),
]


@pytest.mark.parametrize("answer", [case[1] for case in UNSUPPORTED], ids=[case[0] for case in UNSUPPORTED])
def test_an_answer_without_a_valid_citation_is_not_supported(answer: str) -> None:
    assert not check_citations(answer, [CROWS]).is_supported


def test_an_answer_without_a_sentence_has_no_support() -> None:
    assert check_citations("", [CROWS]).support == 0.0


answers = st.text(alphabet=st.sampled_from("aAbB .!?\n`[]123,-–。_()"), max_size=60)


@given(answers)
def test_spans_are_in_order_and_contain_every_word(text: str) -> None:
    spans = split_sentences(text)
    assert all(start < end for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    in_spans = {word for start, end in spans for word in words(text[start:end])}
    assert all(word.isdecimal() for word in set(words(text)) - in_spans)  # the number of a list item or a citation


@given(st.text(max_size=200))
def test_text_supports_itself(text: str) -> None:
    assert support(text, text) == (1.0 if words(text) else 0.0)


@given(answers, answers)
def test_support_is_between_0_and_1(answer: str, extract: str) -> None:
    for sentence in check_citations(answer, [reference(extract)]).sentences:
        assert 0.0 <= sentence.support <= 1.0
        assert sentence.citations or sentence.support == 0.0
