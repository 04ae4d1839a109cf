"""The contract that every policy must fulfil."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.models.chat.chat_model import Chat
from agent.models.completion_limits import SamplingOptions
from agent.models.language_model import LanguageModel
from agent.models.served_model import ServedModel
from agent.models.server import ModelServer
from agent.policies.scripted import Scripted
from agent.policies.search_only import SearchOnly
from agent.policy import Completion, Policy, Prompt
from agent.rollouts.rollout import rollout
from browser_env.actions import Invalid, parse_action
from browser_env.backends import FakeBackend, SearchHit
from browser_env.env import BrowserEnv
from browser_env.errors import PolicyError
from browser_env.pages.page import Link, Page
from browser_env.records import Question, Settings

CROWS = Page(
    "http://a.org/crows", "Crows", "Crows bring gifts to people.\n\nThey are birds.", (Link(0, 5, "http://a.org/gone"),)
)
EMPTY = Page("http://a.org/empty", "", "")
HUGE = Page("http://a.org/huge", "Huge " * 500, "\n".join(f"Crows {number} " + "word " * 200 for number in range(500)))
ONE_LINE = Page("http://a.org/line", "Line", "x" * 100_000)
ODD = Page("http://a.org/odd", "Odd", "</s><|endoftext|><|im_start|>system 😀e\u0301‮ ( [ { ``` <think> Action: Back")
WEB = FakeBackend(
    [CROWS, EMPTY, HUGE, ONE_LINE, ODD],
    {
        "none": [],
        "crows": [SearchHit(page.url, page.title, page.text[:50]) for page in (CROWS, EMPTY, HUGE, ONE_LINE, ODD)],
        "bare": [SearchHit("http://a.org/crows", "", "")],
    },
)


@pytest.fixture
def scripted() -> Policy:
    return Scripted()


@pytest.fixture
def search_only() -> Policy:
    return SearchOnly()


@pytest.fixture
def language_model(tiny_model: Path) -> Policy:
    import torch

    return LanguageModel.load(
        str(tiny_model), options=SamplingOptions(max_command_tokens=12, max_answer_tokens=12), dtype=torch.float32, device="cpu"
    )


@pytest.fixture
def served_model(tiny_model: Path, serve: Callable[..., Any], language_model: LanguageModel) -> Policy:
    import torch

    engine = LanguageModel.load(str(tiny_model), options=SamplingOptions(free=True), dtype=torch.float32, device="cpu")
    server = ModelServer("m", serve(engine, "m").url, max_concurrent=8)
    return ServedModel(server, "m", language_model.limits, name="served:m")


@pytest.fixture
def chat(chat_server: Any) -> Policy:
    def answer(exchange: Any) -> None:
        """A reply that depends only on the prompt and its seed."""
        text = exchange.body["messages"][1]["content"]
        exchange.say(f"Search {len(text) + exchange.body['seed']}" if "♦Next action" in text else f"Crows [1] {len(text)}.")

    chat_server.answers.append(answer)
    return Chat("m", chat_server.url, sleep=lambda _: None)


@pytest.fixture
def broken_chat(chat_server: Any) -> Policy:
    chat_server.answers.append(lambda exchange: exchange.send(b"<html>", 500))
    return Chat("m", chat_server.url, sleep=lambda _: None)


@pytest.fixture(params=["scripted", "search_only", "language_model", "served_model", "chat", "broken_chat"])
def policy(request: pytest.FixtureRequest) -> Policy:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


def after(*commands: str, question: str = "What do crows bring?", **settings: Any) -> Prompt:
    env = BrowserEnv(WEB, Settings(**settings))
    observation = env.reset(Question(id="q", text=question))
    for command in commands:
        observation = env.step(command).observation
    return Prompt(observation, env.state, seed=len(observation))


PROMPTS: list[tuple[str, Callable[[], Prompt]]] = [
    ("start", lambda: after()),
    ("results", lambda: after("Search crows")),
    ("no-results", lambda: after("Search none")),
    ("result-without-words", lambda: after("Search bare")),
    ("page", lambda: after("Search crows", "Clicked on link 0")),
    ("error-page", lambda: after("Search crows", "Clicked on link 0", "Clicked on link 0")),
    ("empty-page", lambda: after("Search crows", "Clicked on link 1")),
    ("huge-page", lambda: after("Search crows", "Clicked on link 2")),
    ("huge-view", lambda: after("Search crows", "Clicked on link 2", view_height=100_000)),
    ("one-line-page", lambda: after("Search crows", "Clicked on link 3")),
    ("odd-page", lambda: after("Search crows", "Clicked on link 4")),
    ("end-of-a-page", lambda: after("Search crows", "Clicked on link 2", "Scrolled down 3", "Scrolled down 3")),
    ("tiny-view", lambda: after("Search crows", view_height=1, view_width=20)),
    ("last-action", lambda: after("Search crows", max_actions=2)),
    ("after-invalid-commands", lambda: after("Nonsense", "", "Clicked on link 9")),
    ("quoted", lambda: after("Search crows", "Clicked on link 0", "Quote: Crows bring gifts")),
    ("answer", lambda: after("Search crows", "Clicked on link 0", "Quote: Crows bring gifts", "End: Answer")),
    ("answer-from-a-huge-quote", lambda: after("Search crows", "Clicked on link 2", "Quote: Crows 0━Crows 1", "End: Answer")),
    ("answer-from-results", lambda: after("Search crows", "Quote: Crows bring gifts to people.", "End: Answer")),
    ("question-without-words", lambda: after(question="???")),
    ("long-question", lambda: after(question="crows " * 1_600)),
    ("question-with-a-heading", lambda: after(question="♦Next action\nEnd: Answer")),
    ("question-in-another-script", lambda: after(question="カラスは何を持ってくる？")),
]


def results(policy: Policy, prompts: Sequence[Prompt]) -> list[Completion | PolicyError]:
    """The completions of a policy, after checks that apply to all policies."""
    given = list(policy.complete(prompts))
    assert len(given) == len(prompts)
    for result in given:
        assert isinstance(result, Completion | PolicyError)
        if isinstance(result, PolicyError):
            assert str(result)
            assert "\n" not in str(result)
        elif result.logprobs is not None:
            assert result.token_ids is not None
            assert len(result.logprobs) == len(result.token_ids)
            assert all(logprob <= 0 for logprob in result.logprobs)
    return given


def exact(result: Completion | PolicyError) -> object:
    """The parts of completions that must not depend on the batch; log-probabilities may, through rounding."""
    return str(result) if isinstance(result, PolicyError) else (result.text, result.command, result.token_ids)


@pytest.mark.parametrize("make", [case[1] for case in PROMPTS], ids=[case[0] for case in PROMPTS])
def test_any_observation_gets_a_completion_or_an_error(policy: Policy, make: Callable[[], Prompt]) -> None:
    results(policy, [make()])


def test_a_batch_is_answered_in_order_as_its_prompts_are_alone(policy: Policy) -> None:
    prompts = [make() for _, make in PROMPTS]
    alone = [exact(result) for prompt in prompts for result in results(policy, [prompt])]
    assert [exact(result) for result in results(policy, prompts)] == alone
    assert [exact(result) for result in results(policy, prompts[::-1])] == alone[::-1]


def test_no_prompts_get_no_completions(policy: Policy) -> None:
    assert results(policy, []) == []


def test_a_policy_has_a_name(policy: Policy) -> None:
    assert policy.name
    assert "\n" not in policy.name


def test_a_whole_rollout_ends_for_every_question(policy: Policy) -> None:
    questions = [
        Question(id=str(n), text=text) for n, text in enumerate(["What do crows bring?", "crows", "none", "bare", "???"])
    ]
    episodes = list(rollout(policy, WEB, questions, Settings(max_actions=8), batch_size=3))
    assert sorted(episode.question.id for episode in episodes) == ["0", "1", "2", "3", "4"]
    assert all((episode.failure is None) != (episode.ending is None) for episode in episodes)


@pytest.mark.parametrize("name", ["scripted", "search_only"])
@pytest.mark.parametrize("make", [case[1] for case in PROMPTS], ids=[case[0] for case in PROMPTS])
def test_programs_write_only_commands(request: pytest.FixtureRequest, name: str, make: Callable[[], Prompt]) -> None:
    prompt = make()
    [result] = results(request.getfixturevalue(name), [prompt])
    assert isinstance(result, Completion)
    if prompt.state.phase == "browsing":
        assert not isinstance(parse_action(result.text), Invalid)


def test_search_only_quotes_the_first_snippet_and_answers_with_it() -> None:
    web = FakeBackend(
        [], {"What now?": [SearchHit("http://a.org/", "A", ""), SearchHit("http://b.org/", "B", "Crows bring gifts.")]}
    )
    [episode] = rollout(SearchOnly(), web, [Question(id="q", text="What\nnow?")], Settings(view_width=20))
    assert [step.completion for step in episode.steps] == [
        "Search What now?",
        "Quote: Crows bring gifts.",
        "End: Answer",
        "Crows bring gifts. [1]",
    ]
    assert [reference.url for reference in episode.references] == ["http://b.org/"]
    assert all(step.problem is None for step in episode.steps)


def test_search_only_ends_without_an_answer_if_nothing_is_found() -> None:
    [episode] = rollout(SearchOnly(), FakeBackend([]), [Question(id="q", text="What now?")], Settings())
    assert [step.completion for step in episode.steps] == ["Search What now?", "End: Answer"]
    assert episode.answer is None
