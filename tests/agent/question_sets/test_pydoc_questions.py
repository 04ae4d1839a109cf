"""Questions made from the Python documentation: the rules that make them, and properties of all of them."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.question_sets.pydoc.definitions import Definition, definitions, docstring_sentences
from agent.question_sets.pydoc.drafts import conditions, describe, pair, unanswerable, which
from agent.question_sets.pydoc.modules import Groups
from agent.question_sets.pydoc.questions import PythonDocsQuestions
from agent.question_sets.pydoc.templates import MADE_UP_NOUNS, MADE_UP_VERBS
from agent.question_sets.pydoc.wording import Conditional, conditionals, gives_away, is_noun_phrase, third_person, verb_phrase
from agent.question_sets.registry import load_questions
from agent.question_sets.splits import SPLITS, Split
from browser_env.offline_web.collection import Collection
from browser_env.offline_web.indexing import build
from browser_env.offline_web.sources.python_docs import PythonDocs
from browser_env.pages.matching import find_quote, normal_form
from browser_env.pages.page import Page
from browser_env.pages.words import words
from browser_env.records import Question

MODULES = (
    "bz2", "builtins", "collections", "inspect", "json", "lzma", "ntpath", "os", "os.path", "posix", "random", "shutil", "sndhdr", "stat",
    "statistics", "string", "textwrap", "time", "unittest", "unittest.mock", "zipfile",
)  # fmt: skip
"""Modules of all splits; some share sentences, such as ``os`` and ``posix``."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("library") / "python.sqlite"
    build(path, PythonDocs(modules=MODULES))
    return path


@pytest.fixture(scope="module")
def web(library: Path) -> Iterator[Collection]:
    with Collection.open(library) as web:
        yield web


@pytest.fixture(scope="module")
def made(web: Collection) -> PythonDocsQuestions:
    return PythonDocsQuestions(web)


@pytest.fixture(scope="module")
def questions(made: PythonDocsQuestions) -> tuple[Question, ...]:
    return made.questions()


def define(name: str, *sentences: str, kind: str = "function", module: str = "shop", heading: str = "") -> Definition:
    return Definition(module, name, kind, f"http://x/{module}.html", heading, sentences[0], sentences)  # type: ignore[arg-type]


def texts(drafts: object) -> list[str]:
    return [draft.text for draft in drafts]  # type: ignore[attr-defined]


# ------------------------------------------------------------------------------------------------------------ sentences

DOCSTRINGS = {
    "one sentence": ("Copy the file metadata.", "Copy the file metadata.", ()),
    "no full stop": ("Copy file metadata", "Copy file metadata", ()),
    "wrapped": ("Copy the\nfile metadata.", "Copy the file metadata.", ()),
    "two sentences": ("Copy the file.  It may be a link.", "Copy the file.", ("It may be a link.",)),
    "argument begins small": ("Set the state. state must have been saved.", "Set the state.", ("state must have been saved.",)),
    "two paragraphs": ("Copy the file.\n\nLinks are followed too.", "Copy the file.", ("Links are followed too.",)),
    "signature first": ("copy(src, dst) -> str\n\nCopy the file metadata.", "Copy the file metadata.", ()),
    "signature over lines": ("copy(src,\n     dst)\n\nCopy the file metadata.", "Copy the file metadata.", ()),
    "one-word": ("Copies.", None, ()),
    "too long": (f"Copy {'very ' * 50}much.", None, ()),
    "goes on indented": ("Callers may use it to write\n\n  copy(a, b)", None, ()),
    "ends before its end": ("Create and return a clone of the", None, ()),
    "list": ("- copy the first file\n- copy the second file", None, ()),
    "field": ("src: the file that is copied", None, ()),
    "note of its programmer": ("XXX This does not copy links.", None, ()),
    "example": (">>> copy the file again", None, ()),
    "generated": ("Initialize self.  See help(type(self)) for accurate signature.", None, ()),
    "points elsewhere": ("See the documentation of the other one.", None, ()),
    "unbalanced": ("Copy the (first file or the second.", None, ()),
    "arrow": ("copy the file -> its name", None, ()),
    "second is garbled": ("Copy the file.\n\nUse {a}::b || c for the rest.", "Copy the file.", ()),
}


@pytest.mark.parametrize("name", DOCSTRINGS)
def test_sentences_of_a_docstring(name: str) -> None:
    docstring, summary, others = DOCSTRINGS[name]
    found = docstring_sentences([f"    {line}".rstrip() for line in docstring.split("\n")])
    assert found == (summary, ((summary, *others) if summary else others))


def test_definitions_of_a_real_page(web: Collection) -> None:
    url = next(url for url in web.urls() if url.endswith("/shutil.html"))
    found = {definition.full_name: definition for definition in definitions(web.fetch(url))}
    assert found["shutil"].kind == "module"
    assert found["shutil.SameFileError"].kind == "exception"
    assert found["shutil.copytree"].kind == "function"
    assert found["shutil.copytree"].summary == "Recursively copy a directory tree and return the destination directory."
    assert found["shutil.copytree"].heading.startswith("copytree(src, dst, ")
    assert not any(part.startswith("_") for name in found for part in name.split("."))


@pytest.mark.parametrize(
    ("page", "name", "kind"),
    [("textwrap", "textwrap.TextWrapper.fill", "method"), ("collections", "collections.ChainMap.parents", "property"),
     ("builtins", "str.split", "method"), ("os.path", "os.path.isfile", "function")],
)  # fmt: skip
def test_definition_knows_its_full_name(web: Collection, page: str, name: str, kind: str) -> None:
    url = next(url for url in web.urls() if url.endswith(f"/{page}.html"))
    (found,) = (definition for definition in definitions(web.fetch(url)) if definition.full_name == name)
    assert found.kind == kind


# --------------------------------------------------------------------------------------------------------------- grammar


@pytest.mark.parametrize(
    ("verb", "expected"),
    [("copy", "copies"), ("return", "returns"), ("match", "matches"), ("push", "pushes"), ("pass", "passes"), ("do", "does"),
     ("display", "displays"), ("fix", "fixes"), ("try", "tries"), ("obey", "obeys")],
)  # fmt: skip
def test_third_person(verb: str, expected: str) -> None:
    assert third_person(verb) == expected


PHRASES = {
    "base": ("Return the path.", "return the path", "returns the path"),
    "third": ("Returns the path.", "return the path", "returns the path"),
    "adverb": ("Recursively copy a tree.", "recursively copy a tree", "recursively copies a tree"),
    "second verb": ("Copy a tree and return the path.", "copy a tree and return the path", None),
    "second verb at once": ("Get and set the mode.", "get and set the mode", None),
    "second verb after and/or": ("Update and/or generate headers.", "update and/or generate headers", None),
    "two in third person": ("Removes a file and returns its name.", None, "removes a file and returns its name"),
    "noun that looks like a verb": ("Process objects represent activity.", None, None),
    "the same word as a verb": ("Process the objects.", "process the objects", "processes the objects"),
    "unknown verb": ("Frobnicate the path.", None, None),
    "unknown second verb": ("Copy the path and frobnicate the file.", None, None),
    "no verb": ("A path.", None, None),
    "capital inside": ("Get or Set the flag.", None, None),
    "mixed persons": ("Open the file and returns it.", None, None),
}


@pytest.mark.parametrize("name", PHRASES)
def test_verb_phrase(name: str) -> None:
    sentence, base, third = PHRASES[name]
    phrase = verb_phrase(sentence)
    assert ((phrase.base, phrase.third) if phrase else (None, None)) == (base, third)


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [("A simple framework for writing things that are read.", True), ("The text of all nodes.", True), ("A test has failed.", False),
     ("The arguments are required.", False), ("Framework for things.", False)],
)  # fmt: skip
def test_noun_phrase(sentence: str, expected: bool) -> None:
    assert is_noun_phrase(sentence) is expected


CASES = {
    "if first": ("If the path exists, nothing is done.", Conditional("behavior", "the path exists", "if", "nothing is done")),
    "if then": ("If the path exists, then it is removed.", Conditional("behavior", "the path exists", "if", "it is removed")),
    "when first": ("When a key is missing, it is added.", Conditional("behavior", "a key is missing", "when", "it is added")),
    "unless first": ("Unless binary is true, text is read.", Conditional("behavior", "binary is true", "unless", "text is read")),
    "if last": ("The file is kept if the disk is full.", Conditional("behavior", "the disk is full", "if", "The file is kept")),
    "list in the case": (
        "If a, b or c is None, it is not used.", Conditional("behavior", "a, b or c is None", "if", "it is not used"),
    ),
    "returns": ("Return True if x is finite, False otherwise.", Conditional("returns", "x is finite", "if", "True")),
    "returns with a remark": ("Return True if x is a (quiet) NaN.", Conditional("returns", "x is a NaN", "if", "True")),
    "raises": ("Raises ValueError if the value is not present.", Conditional("raises", "the value is not present", "if", "ValueError")),
    "is raised": ("A KeyError is raised when the key is missing.", Conditional("raises", "the key is missing", "when", "KeyError")),
    "raised": ("Raised when a file is too large.", Conditional("raised", "", "when", "Raised when a file is too large")),
    "called": ("Called when a test has ended.", Conditional("called", "", "when", "Called when a test has ended")),
    "default": ("The maxsplit argument defaults to -1.", Conditional("default", "maxsplit", "if", "-1")),
    "by default": ("By default, errors are ignored.", Conditional("by_default", "", "when", "errors are ignored")),
    "case without a subject": ("If given, it is used as the name.", None),
    "case that points back": ("If it is missing, nothing is done.", None),
    "case of the reader": ("If you want more, the other class is better.", None),
    "advice": ("If the file is large, use the other function.", None),
    "duty": ("When a file is not needed, it should be closed.", None),
    "consequence that stood before": ("If a byte is buffered, return that instead.", None),
    "only if": ("The buffer is cleared only if a target is set.", None),
    "case of a part": ("Add a callback to be run when the future is done.", None),
    "even if": ("Close the file even if it is locked.", None),
    "whether": ("Test if the path is a file.", None),
    "no case": ("Return the path.", None),
    "called by": ("Called by the parser to give the locator.", None),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_condition_of_a_sentence(name: str) -> None:
    sentence, expected = CASES[name]
    assert list(conditionals(sentence)) == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("description", "name", "expected"),
    [
        ("returns disk usage statistics about the given path", "disk_usage", False),
        ("returns the disk_usage of a path", "disk_usage", True),
        ("returns the diskusage of a path", "disk_usage", True),
        ("registers an archive format", "register_archive_format", True),
        ("returns a bounded semaphore object", "BoundedSemaphore", True),
        ("copies data and mode bits", "copy", True),
        ("copies a directory tree", "copytree", True),
        ("returns the integer part of the square root", "isqrt", False),
        ("writes the tree to a file", "dump", False),
        ("decodes what was dumped", "dump", True),
    ],
)
def test_description_that_gives_a_name_away(description: str, name: str, expected: bool) -> None:
    assert gives_away(f"Which function {description}?", description, name) is expected


# ---------------------------------------------------------------------------------------------------------------- drafts


def test_which_does_not_ask_for_a_description_that_fits_a_neighbor() -> None:
    ledger = define("total", "Return the sum of all open invoices.")
    assert texts(which(ledger, [ledger, define("mean", "Return the mean of all open invoices.")]))
    assert not texts(which(ledger, [ledger, define("everything", "Return the sum of all open and closed invoices.")]))


def test_which_accepts_the_short_and_the_full_name() -> None:
    (draft,) = which(define("Ledger.total", "Return the sum of all open invoices.", kind="method"), [])
    assert draft.answers == ("total", "Ledger.total", "shop.Ledger.total")
    assert "method of shop.Ledger" in draft.text
    assert draft.sentences == ("Return the sum of all open invoices.",)


def test_names_of_built_ins_are_in_backquotes() -> None:
    for name in ("all", "min", "sum", "hash", "open", "next"):
        (text,) = texts(describe(define(name, "Return the number of all things.", module="builtins")))
        assert f"`{name}" in text


def test_default_is_asked_only_of_an_argument() -> None:
    sentence = "The maxsplit argument defaults to -1."
    assert texts(conditions(define("cut", "Cut it up.", sentence, heading="cut(text, maxsplit=-1)")))
    assert not texts(conditions(define("cut", "Cut it up.", sentence, heading="cut(text)")))


def test_describe_skips_a_summary_with_a_condition() -> None:
    definition = define("is_open", "Return True if the shop is open.")
    assert not texts(describe(definition))
    assert len(texts(conditions(definition))) == 1


def test_pair_needs_both_summaries() -> None:
    first, second = define("a", "Return the first thing."), define("b", "Return the second thing.", module="bank")
    (draft,) = pair(first, second)
    assert draft.about == (first, second)
    assert draft.sentences == ("Return the first thing.", "Return the second thing.")


def test_unanswerable_has_neither_answer_nor_evidence() -> None:
    drafts = [draft for n in range(200) for draft in unanswerable(define(f"f{n}", "Return a thing."), "prune_orchard")]
    assert len(drafts) > 5
    assert all((draft.answers, draft.sentences) == ((), ()) for draft in drafts)
    assert len({draft.text for draft in drafts}) > 3


def test_wordings_vary_and_names_occur_early_and_late() -> None:
    found = [text for n in range(300) for text in texts(describe(define(f"f{n}", "Return a thing.")))]
    assert len({re.sub(r"\bf\d+", "", text) for text in found}) == 11
    assert any("`" in text for text in found) and any("`" not in text for text in found)
    assert any(re.search(r"f\d+`?(\(\))?[?.]$", text) for text in found)
    assert any(re.search(r"f\d+`? \w+", text) for text in found)


# ------------------------------------------------------------------------------------------------------------------ laws


def page_splits(made: PythonDocsQuestions, web: Collection) -> list[tuple[Page, Split]]:
    return [(web.fetch(url), split) for url, split in made.page_splits().items()]


def test_all_kinds_are_made(questions: tuple[Question, ...]) -> None:
    kinds = Counter(question.kind for question in questions)
    assert kinds.keys() == {"describe", "which", "condition", "pair", "unanswerable"}
    assert min(kinds.values()) >= 30
    assert {question.dataset for question in questions} == {"pydoc"}


def test_no_two_questions_are_alike(questions: tuple[Question, ...]) -> None:
    assert len({normal_form(question.text).replace("'", "") for question in questions}) == len(questions)
    assert len({question.id for question in questions}) == len(questions)


def test_evidence_can_be_quoted_from_its_page(web: Collection, questions: tuple[Question, ...]) -> None:
    for question in questions:
        for evidence in question.evidence:
            page = web.fetch(evidence.url)
            assert evidence.sentences
            for sentence in evidence.sentences:
                assert not isinstance(find_quote(page.normal, sentence, 0), str), question
                assert sentence in " ".join(page.text.split())


def test_answerable_questions_have_answers_and_evidence_and_the_others_neither(questions: tuple[Question, ...]) -> None:
    for question in questions:
        is_answerable = question.kind != "unanswerable"
        assert bool(question.answers) is bool(question.evidence) is is_answerable, question
        assert question.reference_answer is None  # the censor would hide the page


def test_questions_are_one_clean_line(questions: tuple[Question, ...]) -> None:
    for question in questions:
        assert re.fullmatch(r"[^\s].*[?.]", question.text), question
        assert "  " not in question.text and ".?" not in question.text and "`" * 3 not in question.text
        assert question.text[0].isupper()


def test_which_does_not_name_its_answer(questions: tuple[Question, ...]) -> None:
    for question in questions:
        if question.kind == "which":
            owner = question.answers[-1].rpartition(".")[0]
            text = question.text.replace(owner, "")
            assert question.answers[0].casefold() not in words(text)
            assert not re.search(rf"\b{re.escape(question.answers[0])}\b", text)


def test_pairs_are_of_two_modules_of_one_split(made: PythonDocsQuestions, questions: tuple[Question, ...]) -> None:
    splits = made.page_splits()
    for question in questions:
        if question.kind == "pair":
            first, second = question.evidence
            assert first.url.rpartition("/")[2].split(".")[0] != second.url.rpartition("/")[2].split(".")[0]
            assert splits[first.url] == splits[second.url]


def test_made_up_names_are_on_no_page(web: Collection, questions: tuple[Question, ...]) -> None:
    everything = {word for url in web.urls() for word in re.findall(r"\w+", web.fetch(url).text)}
    style = re.compile(rf"(?:{'|'.join(MADE_UP_VERBS)})_?(?:{'|'.join(MADE_UP_NOUNS)})")
    made_up = {name for q in questions if q.kind == "unanswerable" for name in style.findall(q.text)}
    assert len(made_up) > 50
    assert made_up.isdisjoint(everything)


def test_splits_are_disjoint_and_leave_nothing_out(made: PythonDocsQuestions, questions: tuple[Question, ...]) -> None:
    parts = [question.id for split in SPLITS for question in made.questions(split)]
    assert Counter(parts) == Counter(question.id for question in questions)


def test_questions_go_to_the_split_of_their_page(made: PythonDocsQuestions) -> None:
    splits = made.page_splits()
    for split in SPLITS:
        for question in made.questions(split):
            assert {splits[evidence.url] for evidence in question.evidence} <= {split}


def test_no_evidence_is_on_a_page_of_another_split(made: PythonDocsQuestions, web: Collection) -> None:
    """Every evidence sentence is looked for on every page, with the environment's text matching."""
    pages = page_splits(made, web)
    assert len({split for _, split in pages}) == len(SPLITS)
    for split in SPLITS:
        wanted = {normal_form(s) for q in made.questions(split) for evidence in q.evidence for s in evidence.sentences}
        for page, other in pages:
            if other != split:
                assert not [sentence for sentence in wanted if sentence in page.normal.text], page.title


@pytest.mark.parametrize(
    "together", [("os", "os.path"), ("os", "posix"), ("os", "ntpath"), ("bz2", "lzma"), ("unittest", "unittest.mock")]
)
def test_modules_with_the_same_sentences_are_in_one_split(made: PythonDocsQuestions, together: tuple[str, str]) -> None:
    splits = {url.rpartition("/")[2].removesuffix(".html"): split for url, split in made.page_splits().items()}
    assert splits[together[0]] == splits[together[1]]


def test_modules_that_share_sentences_form_groups_and_sentences_of_two_groups_are_left_out() -> None:
    everything = [
        define("a", "Return one thing.", "Two is told.", "Three is told.", module="one"),
        define("a", "Return one thing.", "Two is told.", "Four is told.", module="two"),
        define("b", "Return five things.", "Six is told.", "Three is told.", module="other"),
    ]
    groups = Groups(everything)
    assert groups.group("one") == groups.group("two") == "one" != groups.group("other")
    assert groups.own_sentences(everything[0]) == ("Return one thing.", "Two is told.")
    assert groups.own_sentences(everything[2]) == ("Return five things.", "Six is told.")


def test_a_definition_documented_twice_is_asked_about_once(questions: tuple[Question, ...]) -> None:
    about = {evidence.url.rpartition("/")[2] for question in questions for evidence in question.evidence}
    assert "os.html" in about and "os.path.html" in about
    assert not [q for q in questions if q.kind == "describe" and "posix.getcwd" in q.id]


def test_the_same_documentation_gives_the_same_questions(web: Collection, questions: tuple[Question, ...]) -> None:
    assert PythonDocsQuestions(web).questions() == questions


def test_the_first_questions_are_a_fair_sample(questions: tuple[Question, ...]) -> None:
    kinds = Counter(question.kind for question in questions)
    first = Counter(question.kind for question in questions[:300])
    for kind, number in kinds.items():
        assert first[kind] / 300 == pytest.approx(number / len(questions), abs=0.08)


def test_load_questions_opens_the_documentation_for_pydoc_alone(
    library: Path, questions: tuple[Question, ...], tmp_path: Path
) -> None:
    assert tuple(load_questions("pydoc", open_docs=lambda: Collection.open(library))) == questions
    (tmp_path / "q.txt").write_text("Why?\n")

    def fail() -> Collection:
        raise AssertionError

    assert list(load_questions(str(tmp_path / "q.txt"), open_docs=fail))
