"""Targets: 5,000 pages indexed in under 60 s on two cores; at 50,000 pages, 95 of 100 queries in under 15 ms."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from browser_env.offline_web.collection import Collection
from browser_env.offline_web.indexing import build
from browser_env.offline_web.sources import Item
from browser_env.offline_web.sources.python_docs import PythonDocs
from browser_env.pages.document import Document

pytestmark = pytest.mark.timeout(3600)

TAG_OR_WORD = re.compile(r"<[^>]*>|&\w+;|\b[a-z]{4,}\b")
QUESTIONS = (
    "What does shutil.copytree do?", "os.path.join", "How do I measure the execution time of small code snippets?",
    "Which exception is raised when a key is not found?", "How can I parse command line arguments?", "disk usage",
    "What does json.dumps do with sort_keys?", "How do I compress data with zlib?", "What does any() do?",
)  # fmt: skip


def is_measured(config: pytest.Config) -> bool:
    return bool(config.getoption("benchmark_enable")) or not config.getoption("benchmark_disable")


@pytest.fixture(scope="session")
def templates(request: pytest.FixtureRequest) -> list[str]:
    """HTML pages of the Python documentation, without the largest."""
    modules = None if is_measured(request.config) else ("json", "shutil", "string", "textwrap")
    pages = [item.body.decode() for item in PythonDocs(modules=modules) if isinstance(item, Document)]
    return [page for page in pages if len(page) < 60_000]


class Variations:
    """A source of any number of pages: real pages in which a third of the words are replaced by others."""

    label = "synthetic"
    addresses: frozenset[str] = frozenset()

    def __init__(self, templates: list[str], num_pages: int) -> None:
        self.templates = templates
        self.num_pages = num_pages

    def __iter__(self) -> Iterator[Item]:
        words = sorted({word for page in self.templates[:200] for word in TAG_OR_WORD.findall(page) if word.isalpha()})
        for number in range(self.num_pages):
            chooser = random.Random(number)
            changed = chooser.sample(words, len(words) // 3)
            other = {word: f"{chooser.choice(words)}{chooser.choice(('', 'or', 'al'))}" for word in changed}
            page = replaced(self.templates[number % len(self.templates)], other)
            yield Document(f"http://synthetic.localhost/{number}.html", page.encode(), "text/html; charset=utf-8")


def replaced(page: str, other: dict[str, str]) -> str:
    return TAG_OR_WORD.sub(lambda match: other.get(match[0], match[0]), page)


class Listed:
    """A source of documents in memory, so that only the indexing is measured."""

    label = "listed"
    addresses: frozenset[str] = frozenset()

    def __init__(self, items: list[Item]) -> None:
        self.items = items

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)


def test_python_documentation_is_indexed(benchmark: BenchmarkFixture, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    source = PythonDocs() if is_measured(request.config) else PythonDocs(modules=("json",))
    benchmark.pedantic(build, (tmp_path / "c", source), rounds=1)


def test_pages_are_indexed(
    benchmark: BenchmarkFixture, tmp_path: Path, templates: list[str], request: pytest.FixtureRequest
) -> None:
    source = Listed(list(Variations(templates, 5_000 if is_measured(request.config) else 20)))
    report = benchmark.pedantic(build, (tmp_path / "c", source), rounds=1)
    assert report.num_pages == len(source.items)


@pytest.fixture(scope="session")
def large(
    templates: list[str], tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Collection]:
    path = tmp_path_factory.mktemp("large") / "c"
    build(path, Variations(templates, 50_000 if is_measured(request.config) else 50))
    with Collection.open(path) as collection:
        yield collection


def test_queries_are_answered(benchmark: BenchmarkFixture, large: Collection) -> None:
    """Each round is one query that has not been asked before."""
    chooser = random.Random(0)
    words = [sorted(set(re.findall(r"[A-Za-z_]{4,}", large.fetch(url).text))) for url in chooser.sample(large.urls(), 50)]
    numbers = iter(range(1_000_000))

    def ask() -> None:
        number = next(numbers)
        if number % 2:
            large.search(f"{QUESTIONS[number // 2 % len(QUESTIONS)]} {number}")
        else:
            large.search(f"What does {' '.join(chooser.sample(chooser.choice(words), 3))} do?")

    benchmark.pedantic(ask, rounds=400, warmup_rounds=100)
    if benchmark.stats:
        latencies = sorted(benchmark.stats.stats.data)
        print(f"\n95 of 100 queries took less than {latencies[len(latencies) * 95 // 100] * 1000:.1f} ms")


def test_pages_are_fetched(benchmark: BenchmarkFixture, large: Collection) -> None:
    """Each round fetches a page that was fetched before."""
    url = large.urls()[0]
    benchmark(large.fetch, url)
