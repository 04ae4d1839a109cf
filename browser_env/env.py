"""The text browser as an environment: commands in, observations out. Its only I/O is through a `Backend`."""

from typing import NamedTuple
from urllib.parse import urldefrag

from browser_env.actions import Action, Click, Invalid, Search, parse_action
from browser_env.backends import Backend
from browser_env.errors import FetchError
from browser_env.filters import forbidden_ngrams, is_blocked, shares_ngram, without_blocked_links
from browser_env.observation import observe
from browser_env.pages.characters import clean
from browser_env.pages.page import Page, error_page
from browser_env.records import Question, Settings
from browser_env.results import results_page
from browser_env.state import BrowserState, Outcome, TokenCounter, answer, apply, count_action, count_words, open_page, shorten

MAX_QUESTION = 10_000
"""Maximum length of a question in characters; the longest question of ELI5 has 4,710."""
MAX_COMMAND = 10_000
"""Maximum length of a command in characters."""


class Info(NamedTuple):
    """Diagnostics of a step, in addition to the observation."""

    action: Action | Invalid | None
    """The parsed command. None: the step gave the answer."""
    problem: str | None = None
    """Reason that the command was invalid. None: it was valid."""
    note: str | None = None
    """Remark about a valid command without effect, such as a scroll at the end of the page."""


class StepResult(NamedTuple):
    """The result of a step, in Gymnasium's order."""

    observation: str
    """The text to reply to next; empty after the episode has ended."""
    reward: float
    """Always 0: finished answers are scored outside the environment."""
    terminated: bool
    """Whether the episode has ended."""
    truncated: bool
    """Always False: the budgets are part of the task and shown to the policy, so reaching one terminates the episode."""
    info: Info


def check_question(text: str) -> None:
    """Check that a question can be asked.

    Raises:
        ValueError: The question is empty or too long.
    """
    if not clean(text).strip():
        raise ValueError("the question is empty")
    if len(text) > MAX_QUESTION:
        raise ValueError(f"the question has {len(text):,} characters; at most {MAX_QUESTION:,} are allowed")


class BrowserEnv:
    """The text browser as an environment for one episode at a time.

    Several environments can share a backend. The same backend, question and commands give the same observations.

    Args:
        backend: The web to browse.
        settings: Observation format and budgets. Default: those of the paper.
        count_tokens: Counts the tokens of references for their budget.
    """

    def __init__(self, backend: Backend, settings: Settings | None = None, *, count_tokens: TokenCounter = count_words) -> None:
        self.backend = backend
        self.settings = settings or Settings()
        self._count_tokens = count_tokens
        self._state: BrowserState | None = None
        self._forbidden: frozenset[str] = frozenset()

    @property
    def state(self) -> BrowserState:
        """The current state, which the last observation shows.

        Raises:
            RuntimeError: No episode was begun with `reset`.
        """
        if self._state is None:
            raise RuntimeError("call reset() first")
        return self._state

    def reset(self, question: Question | str) -> str:
        """Begin an episode with a question; returns the first observation.

        Raises:
            ValueError: The question is empty or too long.
        """
        if isinstance(question, str):
            question = Question(id="question", text=question)
        check_question(question.text)
        self._forbidden = forbidden_ngrams(question.text, question.reference_answer) if self.settings.censor else frozenset()
        self._state = BrowserState(question, self.settings, self._count_tokens)
        return observe(self._state)

    def step(self, text: str) -> StepResult:
        """Take a step with a reply: its first line is the command, or all of it is the answer in the answering phase.

        Raises:
            RuntimeError: The episode has not begun or has ended.
        """
        state = self.state
        match state.phase:
            case "ended":
                raise RuntimeError("the episode has ended; call reset()")
            case "answering":
                self._state, info = answer(state), Info(None)
            case "browsing":
                action = _parse(text)
                outcome = self._act(state, action)
                self._state, info = count_action(outcome.state), Info(action, outcome.problem, outcome.note)
        return StepResult(observe(self._state), 0.0, self._state.phase == "ended", False, info)

    def _act(self, state: BrowserState, action: Action | Invalid) -> Outcome:
        match action:
            case Invalid(_, reason):
                return Outcome(state, problem=reason)
            case Search(query):
                return Outcome(open_page(state, self._search(query), f"Search {shorten(query)}"))
            case Click(link_id):
                return self._click(state, link_id)
            case _:
                return apply(state, action)

    def _search(self, query: str) -> Page:
        try:
            hits = self.backend.search(query)
        except FetchError as error:
            return error_page("", str(error))
        blocked = self.settings.blocked_domains
        return results_page(
            query,
            (
                hit
                for hit in hits
                if not is_blocked(hit.url, blocked) and not shares_ngram(f"{hit.title} {hit.snippet}", self._forbidden)
            ),
        )

    def _click(self, state: BrowserState, link_id: int) -> Outcome:
        page = state.page
        if link_id >= len(page.link_urls):
            valid_ids = f"0-{len(page.link_urls) - 1}" if page.link_urls else "it has no links"
            return Outcome(state, problem=f"link {link_id} is not on this page ({valid_ids})")
        url = page.link_urls[link_id]
        address, fragment = urldefrag(url)
        target = page if address == urldefrag(page.url)[0] else self._fetch(address)
        past_action = f"Click {shorten(page.link_text(link_id))} {page.link_domain(url)}".rstrip()
        return Outcome(open_page(state, target, past_action, fragment))

    def _fetch(self, url: str) -> Page:
        try:
            page = self.backend.fetch(url)
        except FetchError as error:
            return error_page(url, str(error))
        if is_blocked(page.url, self.settings.blocked_domains):
            return error_page(url, f"{page.domain} is blocked")
        if shares_ngram(f"{page.title} {page.text}", self._forbidden):
            return error_page(url, "This page is not shown: it repeats the question or its answer word for word")
        return without_blocked_links(page, self.settings.blocked_domains)


def _parse(text: str) -> Action | Invalid:
    if len(text) > MAX_COMMAND:
        return Invalid(text, f"the command has {len(text):,} characters; at most {MAX_COMMAND:,} are allowed")
    return parse_action(text)
