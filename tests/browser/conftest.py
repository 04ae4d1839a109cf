"""Fixtures for tests in Chromium: the browser, and pages to open."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.evaluation.benchmark import Benchmark
from agent.evaluation.judges import Lexical
from agent.policy import Completion, Prompt
from agent.viewer.material import read_material
from agent.viewer.site import write_site
from browser_env.backends import FakeBackend, SearchHit
from browser_env.errors import PolicyError
from browser_env.pages.page import Page as Document
from browser_env.records import Evidence, Question, Settings
from browser_env.state import BrowserState

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


# Not for the session: while it lives, an event loop runs in this thread, and other tests need to run their own.
@pytest.fixture(scope="module")
def browser(chromium_path: Path) -> Iterator["Browser"]:
    """The installed Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """A page of the viewer in its own window, with its errors and the URLs that it loaded."""

    def __init__(self, browser: "Browser", site: Path, width: int, height: int, scheme: str) -> None:
        self._context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
            offline=True,
        )
        self.site = site
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(10_000)
        self.complaints: list[str] = []
        self.loaded: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.loaded.append(request.url.removeprefix(f"{site.as_uri()}/")))

    def open(self, place: str = "") -> "Page":
        """Open the page at a URL fragment."""
        self.page.goto(f"{(self.site / 'index.html').as_uri()}{place and '#'}{place}")
        self.page.locator("h1, .notice").first.wait_for()
        return self.page

    def close(self) -> None:
        self._context.close()


Open = Callable[..., Visit]


@pytest.fixture
def visit(browser: "Browser") -> Iterator[Open]:
    """Opens windows; at the end, none may have errors or have loaded other files than its own."""
    visits: list[Visit] = []

    def visit(site: Path, width: int = 1600, scheme: str = "light", height: int = 1000) -> Visit:
        visits.append(Visit(browser, site, width, height, scheme))
        return visits[-1]

    yield visit
    for each in visits:
        each.close()
    assert [complaint for each in visits for complaint in each.complaints] == []
    assert [url for each in visits for url in each.loaded if ":" in url and url != "data:,"] == []


# ------------------------------------------------------------------------------------------------------------- a sample

HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'><!--\u2028\u2029]]>&amp;"
CROWS = Document(
    "https://birds.example/crows",
    f"Crows {HOSTILE}",
    f"Crows 🐦‍⬛ are clever.\n\nCrows bring gifts to people who feed them.\n\n{HOSTILE}\n\nThey remember faces for years.",
)
LONG = Document(
    "https://birds.example/long", "A long page", f"{'Nothing. ' * 60_000}Ravens count to seven. {'Nothing. ' * 60_000}"
)
TRICK = Document("javascript:window.hacked=1", "Trick", "A page whose address is a program.")
PAGES = (CROWS, LONG, TRICK)

QUOTE_TWICE = (
    "Search crows",
    "Clicked on link 0",
    "Clicked on link 99",
    "Quote: crows bring gifts to people who feed them.",
    "Quote: remember faces",
    "End: Answer",
)
BOTH_CITED = "Crows bring gifts to people. [1] They remember faces [2], which is clever. Nobody knows why. [1, 7]"
COMMANDS: dict[str, dict[str, tuple[str, ...]]] = {
    "careful": {
        "crows": (*QUOTE_TWICE, BOTH_CITED),
        "a/b#c%d __proto__": ("Search crows", "Clicked on link 0", "Quote: are clever.", "End: Answer", f"{HOSTILE} [1]"),
        "ravens": (
            "Search crows",
            "Clicked on link 1",
            "Find in page: ravens",
            "Quote: Ravens count to seven.",
            "End: Answer",
            "Seven. [1]",
        ),
        "trick": ("Search crows", "Clicked on link 2", "Quote: address is a program", "End: Answer", "A program. [1]"),
        "unicorns": ("Search crows", "End: Nonsense"),
        "endless": ("Search crows",) * 20,
    },
    f"hasty {HOSTILE}": {
        "crows": (*QUOTE_TWICE, "Crows bring gifts, I guess."),
        "ravens": (),
        "unicorns": (*QUOTE_TWICE, "Crows bring gifts to people. [1]"),
        "endless": ("nonsense",) * 3 + ("End: Controversial",),
        "trick": ("Search crows", "End: Nonsense"),
        "a/b#c%d __proto__": ("Search crows", "End: Nonsense"),
    },
}
QUESTIONS = (
    Question(id="crows", text="What do crows bring?", kind="describe", answers=("gifts",), evidence=(
        Evidence(url=CROWS.url, sentences=("Crows bring gifts to people who feed them.",)),)),
    Question(id="a/b#c%d __proto__", text=f"Is {HOSTILE} markup?", kind=f"odd {HOSTILE}", answers=("yes",)),
    Question(id="ravens", text="How far do ravens count?", kind="which", answers=("seven",)),
    Question(id="trick", text="Which address is a program?", kind="which", answers=("javascript",)),
    Question(id="unicorns", text="What do unicorns bring?", kind="unanswerable"),
    Question(id="endless", text="What comes after everything?", kind="describe", answers=("nothing",)),
)  # fmt: skip


class Commands:
    """A policy with a fixed list of commands, which fails after the last one."""

    def __init__(self, name: str, commands: dict[str, tuple[str, ...]]) -> None:
        self.name = name
        self._commands = commands

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion | PolicyError]:
        return [self._next(prompt.state) for prompt in prompts]

    def _next(self, state: BrowserState) -> Completion | PolicyError:
        commands = self._commands[state.question.id]
        if not commands:
            return PolicyError(f"the server is gone {HOSTILE}")
        text = commands[state.actions_taken if state.phase == "browsing" else -1]
        return Completion(f"Let me think. {text}", command=text) if text.startswith("Clicked") else Completion(text)


@pytest.fixture(scope="session")
def benchmark_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results folder of a small benchmark of two policies with all kinds of episodes."""
    folder = tmp_path_factory.mktemp("benchmark")
    hits = [SearchHit(page.url, page.title, page.text[:60]) for page in PAGES]
    web = FakeBackend(PAGES, {"crows": hits})
    config = {"questions": f"birds {HOSTILE}", "policies": list(COMMANDS), "backend": web.name}
    with Benchmark.open(folder, QUESTIONS, config) as benchmark:
        for name, commands in COMMANDS.items():
            benchmark.run(Commands(name, commands), web, Settings(max_actions=12))
        benchmark.write_table(benchmark.score(list(COMMANDS), Lexical()))
    return folder


@pytest.fixture(scope="session")
def site(benchmark_folder: Path) -> Path:
    """Folder of the benchmark's pages."""
    return write_site(read_material(benchmark_folder), benchmark_folder / "view").parent
