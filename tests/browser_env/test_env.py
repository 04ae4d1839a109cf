"""The effect of each command, tested through the environment on small webs."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from browser_env.backends import FakeBackend, SearchHit
from browser_env.env import MAX_COMMAND, MAX_QUESTION, BrowserEnv
from browser_env.errors import FetchError
from browser_env.filters import is_blocked
from browser_env.observation import observe, scrollbar, view_lines
from browser_env.pages.page import Link, Page
from browser_env.records import Question, Settings
from browser_env.rendering.html import render_html
from browser_env.state import BLANK, CONTEXT_LINES

HERE = "http://here.org/long"
LINES = [f"line {number} says {word}" for number, word in enumerate(["alpha", "beta", "gamma", "delta"] * 25)]
TEXT = "\n".join(LINES)
LONG = Page(
    HERE,
    "Long",
    TEXT,
    links=(
        Link(0, 6, "http://here.org/other#end"),
        Link(TEXT.index("line 1"), TEXT.index("line 1") + 6, f"{HERE}#half"),
        Link(TEXT.index("line 2"), TEXT.index("line 2") + 6, "http://gone.org/"),
        Link(TEXT.index("line 3"), TEXT.index("line 3") + 6, "http://www.reddit.com/r/eli5"),
        Link(TEXT.index("line 4"), TEXT.index("line 4") + 6, f"{HERE}#:~:text=line%2060%20says,alpha"),
        Link(TEXT.index("line 5"), TEXT.index("line 5") + 6, f"{HERE}#nowhere"),
    ),
    anchors=(("half", TEXT.index("line 50")),),
)
OTHER = Page("http://here.org/other", "Other", "\n".join(f"other {n}" for n in range(40)), anchors=(("end", 250),))
HITS = [
    SearchHit(HERE, "Long", "line 0 says alpha"),
    SearchHit("https://old.reddit.com/r/x", "Reddit", "line 0 says alpha"),
    SearchHit(OTHER.url, "Other", "other 0"),
]


def web() -> FakeBackend:
    return FakeBackend([LONG, OTHER], {"lines": HITS})


def on_long(**changes: Any) -> BrowserEnv:
    """An environment that shows the long page, ten lines at a time."""
    env = BrowserEnv(web(), Settings(**{"view_height": 10, **changes}))
    env.reset("What do the lines say?")
    env.step("Search lines")
    env.step("Clicked on link 0")
    assert env.state.page.title == "Long"
    return env


def first_line(env: BrowserEnv) -> str:
    return view_lines(env.state)[0]


STEP = 10 - CONTEXT_LINES


@pytest.mark.parametrize(
    ("commands", "top", "past_action", "note"),
    [
        (["Scrolled down 1"], STEP, "Scroll down 1", None),
        (["Scrolled down 3"], 3 * STEP, "Scroll down 3", None),
        (["Scrolled down 3"] * 5, 90, "Scroll down 3", "this is the end of the page"),
        (["Scrolled down 3", "Scrolled up 1"], 2 * STEP, "Scroll up 1", None),
        (["Scrolled up 2"], 0, "Scroll up 2", "this is the top of the page"),
        (["Scrolled down 3", "Top"], 0, "Top", None),
        (["Find in page: LINE 30 says"], 29, "Find in page LINE 30 says", None),
        (["Find in page: gamma"], 1, "Find in page gamma", None),
        (["Find in page: gamma"] * 3, 9, "Find in page gamma", None),
        (["Scrolled down 3", "Find in page: gamma"], 25, "Find in page gamma", None),
        (["Find in page: line 98", "Find in page: alpha"], 0, "Find in page alpha", None),
        (["Find in page: line 99 says delta"], 90, "Find in page line 99 says delta", None),
        (["Find in page: line 77"] * 2, 76, "Find in page line 77", "there is no other occurrence on this page"),
        (["Scrolled down 1", "Find in page: omega"], STEP, "Find in page omega (not found)", "the text is not on this page"),
        (["Clicked on link 1"], 50, "Click line 1", None),
        (["Clicked on link 3"], 60, "Click line 4", None),
        (["Clicked on link 4"], 0, "Click line 5", None),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_moving_on_a_page(commands: list[str], top: int, past_action: str, note: str | None) -> None:
    env = on_long()
    for command in commands:
        result = env.step(command)
        assert result.info.problem is None
    assert env.state.visit.top == top
    assert env.state.past_actions[-1] == past_action
    assert result.info.note == note


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("Dance", "'Dance' is not a command"),
        ("", "the command is empty"),
        ("Clicked on link 5", "link 5 is not on this page (0-4)"),
        ("Clicked on link 999999", "link 999999 is not on this page (0-4)"),
        ("Quote: this stands nowhere", "not on this page"),
        ("Quote: " + "x" * MAX_COMMAND, "at most 10,000"),
        ("Search \ud800" + "x" * 10_000_000, "at most 10,000"),
    ],
    ids=lambda value: value[:30],
)
def test_an_invalid_command_costs_one_action_and_changes_nothing_else(command: str, problem: str) -> None:
    env = on_long()
    before, observation = env.state, observe(env.state)
    result = env.step(command)
    assert problem in (result.info.problem or "")
    assert env.state.actions_left == before.actions_left - 1
    assert result.observation == observation.replace("Actions left: 98", "Actions left: 97")
    assert (result.reward, result.terminated, result.truncated) == (0.0, False, False)


def test_back_shows_the_stored_page_with_its_cursor() -> None:
    env = on_long()
    env.step("Scrolled down 2")
    before = env.state.visit
    env.step("Clicked on link 0")
    assert env.state.page.title == "Other"
    assert env.state.visit.top == 28  # the place that the fragment names
    env.step("Back")
    assert env.state.visit is before


def test_back_before_the_first_page_is_invalid() -> None:
    env = BrowserEnv(web())
    env.reset("q")
    assert env.step("Back").info.problem == "there is no page before this one"
    env.step("Search lines")
    assert env.step("Back").info.problem == "there is no page before this one"
    assert env.state.page.kind == "results"


def test_a_second_search_does_not_overwrite_the_first() -> None:
    env = on_long()
    env.step("Search nothing at all")
    assert view_lines(env.state) == ("No results were found.",)
    assert env.step("Quote: No results were found.").info.problem == "error pages and empty results pages cannot be quoted"
    env.step("Back")
    env.step("Back")
    assert env.state.page.title == "Search results for: lines"


def test_commands_before_the_first_search_move_nothing() -> None:
    env = BrowserEnv(web())
    env.reset("q")
    for command in ("Scrolled down 3", "Top", "Find in page: x"):
        assert env.step(command).info.problem is None
    assert env.step("Quote: x").info.problem
    assert env.step("Clicked on link 0").info.problem == "link 0 is not on this page (it has no links)"
    assert env.state.page is BLANK


def test_links_to_blocked_domains_have_no_ids() -> None:
    env = on_long()
    assert not any("reddit" in url for url in env.state.page.link_urls)
    env.step("Back")
    assert env.state.page.link_urls == (HERE, OTHER.url)
    open_web = BrowserEnv(web(), Settings(blocked_domains=()))
    open_web.reset("q")
    open_web.step("Search lines")
    assert len(open_web.state.page.link_urls) == 3


@pytest.mark.parametrize(
    ("url", "blocked"),
    [
        ("https://reddit.com/r", True),
        ("https://OLD.Reddit.com/r", True),
        ("https://notreddit.com/", False),
        ("https://reddit.com.evil.org/", False),
        ("https://a.org/reddit.com", False),
        ("nonsense", False),
        ("http://[", False),
    ],
)
def test_a_domain_is_blocked_with_its_subdomains(url: str, blocked: bool) -> None:
    assert is_blocked(url, ("reddit.com",)) is blocked


def test_a_redirect_to_a_blocked_domain_is_an_error_page() -> None:
    class Redirecting(FakeBackend):
        def fetch(self, url: str) -> Page:
            return Page("https://www.quora.com/q", "Quora", "text")

    env = BrowserEnv(Redirecting([], {"lines": HITS}))
    env.reset("q")
    env.step("Search lines")
    env.step("Clicked on link 0")
    assert env.state.page.kind == "error"
    assert view_lines(env.state) == ("www.quora.com is blocked",)


def test_an_unavailable_page_is_an_error_page_that_cannot_be_quoted() -> None:
    env = on_long()
    observation = env.step("Clicked on link 2").observation
    assert "♦Title\nError\n" in observation
    assert "http://gone.org/ does not exist" in observation
    assert env.step("Quote: does not exist").info.problem == "error pages and empty results pages cannot be quoted"
    env.step("Back")
    assert env.state.page.title == "Long"


def test_a_failed_search_is_an_error_page() -> None:
    class Down(FakeBackend):
        def search(self, query: str) -> tuple[SearchHit, ...]:
            raise FetchError("the search engine is down")

    env = BrowserEnv(Down([]))
    env.reset("q")
    assert "the search engine is down" in env.step("Search x").observation


GIVEAWAY = "The mitochondrion is the powerhouse of the cell and makes most of its energy"


def test_pages_and_results_that_repeat_question_or_answer_are_censored_if_the_setting_is_on() -> None:
    page = Page("http://a.org/", "A", f"Somebody wrote: {GIVEAWAY.upper()}, indeed.")
    backend = FakeBackend([page], {"x": [SearchHit(page.url, "A", "short"), SearchHit(page.url, "B", GIVEAWAY)]})
    question = Question(id="1", text="Why?", reference_answer=GIVEAWAY)
    for censor, kind, hits in ((True, "error", 1), (False, "page", 2)):
        env = BrowserEnv(backend, Settings(censor=censor))
        env.reset(question)
        env.step("Search x")
        assert len(env.state.page.links) == hits
        env.step("Clicked on link 0")
        assert env.state.page.kind == kind


class TestQuotes:
    def test_a_reference_has_the_text_of_the_page_and_its_span(self) -> None:
        env = on_long()
        env.step("Quote: LINE 7 says\tDELTA line 8")
        [reference] = env.state.references
        assert reference.extract == "line 7 says delta\nline 8" == LONG.text[reference.start : reference.end]
        assert (reference.title, reference.url, reference.page) == ("Long", HERE, env.state.page.digest)
        assert reference.full_title == "Long (here.org)"

    def test_a_repeated_phrase_is_quoted_at_the_first_occurrence_from_the_view(self) -> None:
        env = on_long()
        env.step("Scrolled down 3")
        env.step("Quote: says gamma")
        assert env.state.references[0].start > TEXT.index("line 24")

    def test_overlapping_quotes_are_merged_and_keep_their_number(self) -> None:
        env = on_long()
        for text in ("line 7 says delta", "line 20 says alpha", "says delta line 8 says alpha", "line 7 says"):
            env.step(f"Quote: {text}")
        assert [reference.extract for reference in env.state.references] == [
            "line 7 says delta\nline 8 says alpha",
            "line 20 says alpha",
        ]

    def test_a_quote_on_a_results_page_refers_to_the_page_of_the_result(self) -> None:
        env = on_long()
        env.step("Back")
        env.step("Quote: other 0")
        [reference] = env.state.references
        assert (reference.title, reference.url, reference.extract) == ("Other", OTHER.url, "other 0")

    def test_a_quote_beyond_the_budget_is_cut_at_a_word_and_ends_browsing(self) -> None:
        env = on_long(max_reference_tokens=12)  # "Long (here.org)" costs two
        assert not env.step("Quote: line 7 says delta").terminated
        assert env.state.reference_tokens_left == 6
        result = env.step("Quote: line 9 says beta line 10 says gamma")
        assert env.state.references[1].extract == "line 9 says beta"
        assert env.state.ending == "max_references"
        assert env.state.phase == "answering"
        assert not result.terminated

    def test_a_quote_is_left_out_if_not_one_word_fits_the_budget(self) -> None:
        env = on_long(max_reference_tokens=8)
        env.step("Quote: line 7 says delta")
        env.step("Quote: line 9 says beta")
        assert len(env.state.references) == 1
        assert env.state.ending == "max_references"

    def test_a_budget_too_small_for_any_quote_ends_without_an_answer(self) -> None:
        env = on_long(max_reference_tokens=1)
        assert env.step("Quote: line 7 says delta").terminated
        assert env.state.references == ()

    def test_a_merged_quote_that_exceeds_the_budget_is_not_added(self) -> None:
        env = on_long(max_reference_tokens=9)
        env.step("Quote: line 7 says delta")
        env.step("Quote: delta line 8 says alpha line 9 says")
        assert [reference.extract for reference in env.state.references] == ["line 7 says delta"]
        assert env.state.ending == "max_references"

    def test_the_token_counter_can_be_replaced(self) -> None:
        env = BrowserEnv(web(), Settings(max_reference_tokens=100), count_tokens=len)
        env.reset("q")
        env.step("Search lines")
        env.step("Quote: other 0")
        assert env.state.reference_tokens_left == 100 - len("Other (here.org)") - len("other 0")


class TestEndings:
    @pytest.mark.parametrize(
        ("command", "ending"),
        [("End: Answer", "answer"), ("End: Nonsense", "nonsense"), ("End: Controversial", "controversial")],
    )
    def test_without_references_every_end_command_ends_the_episode(self, command: str, ending: str) -> None:
        env = on_long()
        result = env.step(command)
        assert result.terminated
        assert not result.truncated
        assert result.observation == ""
        assert env.state.ending == ending

    @pytest.mark.parametrize("command", ["End: Nonsense", "End: Controversial"])
    def test_nonsense_and_controversial_skip_answering_even_with_references(self, command: str) -> None:
        env = on_long()
        env.step("Quote: line 7")
        assert env.step(command).terminated

    def test_the_answer_is_all_of_the_text(self) -> None:
        env = on_long()
        env.step("Quote: line 7 says delta")
        ended = env.step("End: Answer")
        assert (ended.terminated, env.state.phase) == (False, "answering")
        assert ended.observation.startswith("What do the lines say?◼[1] Long (here.org)\n\nline 7 says delta◼")
        result = env.step("Search this is no command but\nan answer [1]")
        assert (result.terminated, result.info.action, result.observation) == (True, None, "")
        with pytest.raises(RuntimeError, match="ended"):
            env.step("Top")

    def test_the_last_action_ends_browsing_and_answering_follows_if_there_is_a_reference(self) -> None:
        for quote, phase in (("Quote: line 7", "answering"), ("Top", "ended")):
            env = on_long(max_actions=3)
            result = env.step(quote)
            assert (env.state.ending, env.state.phase) == ("max_actions", phase)
            assert result.terminated is (phase == "ended")

    def test_invalid_commands_use_up_the_budget(self) -> None:
        env = BrowserEnv(web(), Settings(max_actions=5))
        env.reset("q")
        results = [env.step("nothing sensible") for _ in range(5)]
        assert [result.terminated for result in results] == [False] * 4 + [True]


@pytest.mark.parametrize("question", ["", "  \n ", "\u200b", "x" * (MAX_QUESTION + 1)])
def test_empty_and_too_long_questions_are_rejected(question: str) -> None:
    with pytest.raises(ValueError, match="the question"):
        BrowserEnv(web()).reset(question)


def test_stepping_before_reset_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="reset"):
        BrowserEnv(web()).step("Top")


@pytest.mark.parametrize("changes", [{"view_width": 5}, {"view_height": 0}, {"max_actions": 0}, {"max_reference_tokens": 0}])
def test_settings_out_of_range_are_rejected_and_named(changes: dict[str, Any]) -> None:
    [(name, value)] = changes.items()
    with pytest.raises(ValueError, match=f"{name} must be at least .* got {value}"):
        Settings(**changes)


@pytest.mark.parametrize(
    ("height", "expected"), [(10, (0, 10)), (100, (0, 100)), (200, (0, 100)), (1, (0, 1))], ids=lambda value: str(value)
)
def test_the_scrollbar_is_the_percentage_in_view(height: int, expected: tuple[int, int]) -> None:
    assert scrollbar(on_long(view_height=height).state) == expected


SCRIPT = [
    "Search lines", "Clicked on link 0", "Scrolled down 2", "Find in page: gamma", "Quote: says gamma", "Clicked on link 3", "Dance",
    "Back", "Top", "Clicked on link 0", "Quote: other 5━nothing like it", "Quote: other 5 other 6", "End: Answer", "It says so [1].",
]  # fmt: skip


def play(backend: FakeBackend) -> list[object]:
    env = BrowserEnv(backend, Settings(view_height=10))
    return [env.reset("What do the lines say?"), *(env.step(command) for command in SCRIPT)]


def test_environments_in_many_threads_share_a_backend_and_give_equal_observations() -> None:
    backend = web()
    expected = play(web())
    with ThreadPoolExecutor(16) as pool:
        assert all(played == expected for played in pool.map(lambda _: play(backend), range(300)))


class Browsing(RuleBasedStateMachine):
    """Invariants of the state hold after any sequence of commands."""

    @initialize()
    def start(self) -> None:
        self.env = BrowserEnv(web(), Settings(view_height=7, max_actions=30, max_reference_tokens=40))
        self.env.reset("What do the lines say?")

    def can_browse(self) -> bool:
        return self.env.state.phase == "browsing"

    @precondition(can_browse)
    @rule(
        command=st.sampled_from(
            ["Search lines", "Search none", "Clicked on link 0", "Clicked on link 1", "Scrolled down 3", "Scrolled up 1", "Top", "x",
             "Find in page: delta", "Quote: says gamma", "Quote: line 12", "Quote: other 3", "Quote: No results were found."]
        )
    )  # fmt: skip
    def act(self, command: str) -> None:
        result = self.env.step(command)
        assert (result.info.problem is None) == (len(self.env.state.past_actions) > self.valid)

    @precondition(can_browse)
    @rule(command=st.sampled_from(["Search lines", "Clicked on link 0", "Clicked on link 1"]))
    def back_undoes_opening(self, command: str) -> None:
        before = self.env.state.visits
        if self.env.step(command).info.problem is None and before and self.can_browse():
            self.env.step("Back")
            assert self.env.state.visits == before

    @precondition(lambda self: not self.can_browse())
    @rule()
    def begin_the_next_episode(self) -> None:
        self.start()

    @invariant()
    def count_past_actions(self) -> None:
        self.valid = len(self.env.state.past_actions)

    @invariant()
    def invariants_hold(self) -> None:
        state = self.env.state
        assert state.actions_taken <= state.settings.max_actions
        assert state.reference_tokens_left >= 0
        assert 0 <= state.visit.top <= max(0, len(state.layout.lines) - 1)
        assert len(view_lines(state)) <= state.settings.view_height
        spans = sorted((reference.page, reference.start, reference.end) for reference in state.references)
        assert all(left[0] != right[0] or left[2] <= right[1] for left, right in pairwise(spans))


TestBrowsing = Browsing.TestCase


@settings(max_examples=50)
@given(st.lists(st.text(max_size=30) | st.sampled_from(SCRIPT), max_size=20))
def test_every_text_is_a_valid_reply(texts: list[str]) -> None:
    env = BrowserEnv(web(), Settings(view_height=5, max_actions=10))
    env.reset("q")
    for text in texts:
        if env.step(text).terminated:
            break


def test_a_page_that_reports_a_missing_page_cannot_be_quoted() -> None:
    page = render_html("<title>Page not found</title><p>Crows were here.", "http://a.org/")
    env = BrowserEnv(FakeBackend([page]))
    env.reset("Where are the crows?")
    env.step("Search crows")
    env.step("Clicked on link 0")
    assert env.step("Quote: crows were here").info.problem == "pages that report a missing page cannot be quoted"
