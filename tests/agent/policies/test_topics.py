import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.policies.topics import MAX_FINDS, topics

NAMED = [
    ("dotted", "What does shutil.copytree do?", [("shutil.copytree", ())]),
    ("at-the-end", "Explain shutil.copytree.", [("shutil.copytree", ())]),
    ("backquotes", "Explain `dedent` to me", [("dedent", ())]),
    ("call", "When is copy() used?", [("copy", ())]),
    ("call-in-backquotes", "What is `bz2.decompress()` for?", [("bz2.decompress", ())]),
    ("underscore", "What is disk_usage?", [("disk_usage", ())]),
    ("camel-case", "What is getLogger for?", [("getLogger", ())]),
    ("condition", "What does os.makedirs do if the target exists?", [("os.makedirs", ("target", "exists"))]),
    ("returns", "What does os.stat return?", [("os.stat", ("return",))]),
    ("argument", "What is the default of `maxsize` in functools.lru_cache?", [("functools.lru_cache", ("default", "maxsize"))]),
    ("pair", "What do os.path.join and os.fspath do?", [("os.path.join", ()), ("os.fspath", ())]),
    ("pair-with-a-builtin", "Compare `id` with math.tanh", [("id", ()), ("math.tanh", ())]),
    ("part-of-a-class", "What does the attribute encoding of `io.StringIO` stand for?", [("io.StringIO.encoding", ())]),
    ("part-of-a-module", "In Python's module `math`, what does the function fabs do?", [("math.fabs", ())]),
    ("on-an-instance", "What does `sort` do when it is called on an instance of list?", [("list.sort", ())]),
]


@pytest.mark.parametrize(("question", "expected"), [row[1:] for row in NAMED], ids=[row[0] for row in NAMED])
def test_the_definitions_that_a_question_names(question: str, expected: list[tuple[str, tuple[str, ...]]]) -> None:
    assert [(topic.name, topic.keywords) for topic in topics(question)] == expected


NAMELESS = [
    ("function-in", "Which function in shutil returns disk usage?", "shutil", ("returns", "disk", "usage"), True),
    ("method-of", "I want to add a section. Which method of configparser.ConfigParser do I need?", "configparser.ConfigParser", ("add", "section"), True),
    ("nowhere", "Which class counts hashable items?", None, ("counts", "hashable", "items"), True),
    ("module", "What is the textwrap module for?", "textwrap", (), False),
    ("python-module", "What is the Python module `uu` for?", "uu", (), False),
    ("words", "How are paths joined?", None, ("paths", "joined"), False),
    ("nothing", "what is it?", None, (), False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("question", "place", "keywords", "wants_name"), [row[1:] for row in NAMELESS], ids=[row[0] for row in NAMELESS]
)
def test_topics_of_questions_without_a_name(
    question: str, place: str | None, keywords: tuple[str, ...], wants_name: bool
) -> None:
    [topic] = topics(question)
    assert (topic.name, topic.place, topic.keywords, topic.wants_name) == (None, place, keywords, wants_name)


def test_finds_begin_with_the_class_and_the_definition() -> None:
    [topic] = topics("What does pathlib.Path.mkdir do?")
    assert topic.finds("pathlib")[:2] == ("class Path(", "mkdir(")
    [topic] = topics("What does shutil.copytree do?")
    assert topic.finds("shutil")[0] == "copytree("


def test_a_nameless_definition_is_found_by_the_words_of_the_question() -> None:
    [topic] = topics("Which function in shutil returns disk usage statistics about the given path?")
    assert "disk usage statistics about" in topic.finds("shutil")


@given(st.text(max_size=200))
def test_any_text_has_a_topic_and_a_bounded_number_of_finds(question: str) -> None:
    found = topics(question)
    assert found
    assert all(len(topic.finds("title")) <= MAX_FINDS for topic in found)
