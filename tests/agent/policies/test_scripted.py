"""The scripted policy on the documentation of the running Python."""

from pathlib import Path

import pytest

from agent.policies.scripted import Scripted, write_answer
from agent.rollouts.rollout import rollout
from browser_env.backends import FakeBackend, SearchHit
from browser_env.errors import FetchError
from browser_env.offline_web.collection import Collection
from browser_env.offline_web.indexing import build
from browser_env.offline_web.sources.python_docs import PythonDocs
from browser_env.pages.matching import find_next, normalize
from browser_env.pages.page import Page
from browser_env.records import Question, Reference, Settings
from browser_env.records.citations import check_citations

TEN = [
    ("What does shutil.copytree do?", "shutil", "Recursively copy a directory tree and return the destination directory."),
    ("What does textwrap.dedent do?", "textwrap", "Remove any common leading whitespace from every line"),
    ("Which function in shutil returns disk usage statistics?", "shutil", "disk_usage(path)"),
    ("What does os.makedirs do if the target directory already exists?", "os", "raise an OSError if exist_ok is False"),
    ("Which exception does statistics.mean raise for empty data?", "statistics", "StatisticsError will be raised"),
    ("What happens in functools.lru_cache when maxsize is None?", "functools", "the cache can grow without bound"),
    ("Explain `pathlib.Path.mkdir`.", "pathlib", "Create a new directory at this given path."),
    ("Which class counts hashable items?", "collections", "Dict subclass for counting hashable items."),
    ("What does urllib.parse.urljoin do?", "urllib.parse", "Join a base URL and a possibly relative URL"),
    ("What is string.ascii_letters?", "string", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"),
]
"""A question, the page that must be cited, and words that the quote must contain."""


@pytest.fixture(scope="module")
def all_docs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("docs") / "python.sqlite"
    build(path, PythonDocs())
    return path


@pytest.mark.timeout(300)
def test_at_least_eight_of_ten_questions_are_answered_with_a_quote_that_contains_the_answer(all_docs: Path) -> None:
    questions = [Question(id=str(number), text=text) for number, (text, _, _) in enumerate(TEN)]
    unanswerable = Question(id="no", text="What does shutil.copytreeish do?")
    pair = Question(id="pair", text="What do heapq.nlargest and base64.b64encode do?")
    with Collection.open(all_docs) as collection:
        episodes = {
            episode.question.id: episode
            for episode in rollout(Scripted(), collection, [*questions, unanswerable, pair], Settings(), batch_size=12)
        }
    right = []
    for number, (text, title, evidence) in enumerate(TEN):
        episode = episodes[str(number)]
        cited = [episode.references[n - 1] for n in check_citations(episode.answer or "", episode.references).citations]
        if any(r.title == title and find_next(normalize(r.extract), evidence, 0) for r in cited):
            right.append(text)
    assert len(right) >= 8, sorted({text for text, _, _ in TEN} - set(right))
    assert not any(step.problem for episode in episodes.values() for step in episode.steps)
    assert episodes["no"].answer is None
    assert episodes["no"].ending == "nonsense"
    assert [reference.title for reference in episodes["pair"].references] == ["heapq", "base64"]


def test_browsing_ends_if_the_web_fails() -> None:
    class Down(FakeBackend):
        def search(self, query: str) -> tuple[SearchHit, ...]:
            raise FetchError("the search engine is down")

    [episode] = rollout(Scripted(), Down([]), [Question(id="1", text="What does shutil.copytree do?")], Settings())
    assert [step.completion for step in episode.steps] == ["Search shutil.copytree", "End: Nonsense"]


def test_a_result_that_cannot_be_opened_is_followed_by_the_next() -> None:
    good = Page("http://a.org/shutil", "shutil", "copytree(src, dst)\n    Copy a whole directory tree.")
    hits = [SearchHit("http://gone.org/", "shutil", "copytree(src)"), SearchHit(good.url, "shutil copies", "copytree(src)")]
    backend = FakeBackend([good], {"shutil.copytree": hits})
    [episode] = rollout(Scripted(), backend, [Question(id="1", text="What does shutil.copytree do?")], Settings())
    assert [reference.url for reference in episode.references] == [good.url]


def reference(extract: str) -> Reference:
    return Reference(title="t", url="http://a.org/", extract=extract, page="0", start=0, end=len(extract))


def test_the_lines_of_one_sentence_are_cited_once() -> None:
    answer = write_answer([reference("If the target directory already\n    exists, raise an OSError.")])
    assert answer == "If the target directory already exists, raise an OSError. [1]"


def test_an_answer_repeats_each_quote_with_its_citation() -> None:
    answer = write_answer([reference("copy(src, dst)\n\n    Copy data.\n    Return it."), reference("It is\nso.")])
    assert answer == "copy(src, dst): Copy data. [1] Return it. [1]\nIt is so. [2]"
    assert check_citations(answer, [reference("copy(src, dst) Copy data. Return it."), reference("It is so.")]).support == 1
