import itertools
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from agent.policies.time_limit import TimeLimited
from agent.policy import Completion, Prompt
from agent.rollouts.rollout import rollout
from browser_env.backends import FakeBackend
from browser_env.errors import PolicyError
from browser_env.records import Question, Settings
from browser_env.state import BrowserState

Complete = Callable[[Sequence[Prompt]], Any]


class Does:
    """A policy that calls a function on its prompts."""

    name = "does"

    def __init__(self, complete: Complete) -> None:
        self._complete = complete

    def complete(self, prompts: Sequence[Prompt]) -> Any:
        return self._complete(prompts)


def prompts(*texts: str) -> list[Prompt]:
    return [Prompt(text, BrowserState(Question(id=text, text=text), Settings()), 0) for text in texts]


def ends(asked: Sequence[Prompt]) -> list[Completion]:
    return [Completion("End: Answer") for _ in asked]


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """Event that a hanging policy waits for; it is set at the end of the test."""
    event = threading.Event()
    yield event
    event.set()


def test_completions_are_passed_on() -> None:
    limited = TimeLimited(Does(lambda asked: [Completion(prompt.text) for prompt in asked]), 10)
    assert [limited.complete(prompts("a", "b")), limited.complete(prompts("c"))] == [
        [Completion("a"), Completion("b")],
        [Completion("c")],
    ]
    assert (limited.name, limited.is_busy) == ("does", False)


def test_a_policy_has_one_thread_as_long_as_it_answers() -> None:
    threads: set[int] = set()

    def note(asked: Sequence[Prompt]) -> list[Completion]:
        threads.add(threading.get_ident())
        return ends(asked)

    limited = TimeLimited(Does(note), 10)
    for _ in range(3):
        limited.complete(prompts("a"))
    assert len(threads) == 1
    assert threads != {threading.get_ident()}


def test_a_policy_that_hangs_is_abandoned(never: threading.Event) -> None:
    def hang(asked: Sequence[Prompt]) -> list[Completion]:
        if asked[0].text == "hang":
            never.wait()
        return ends(asked)

    limited = TimeLimited(Does(hang), 0.05)
    with pytest.raises(PolicyError, match=r"does did not answer within 0\.05 seconds"):
        limited.complete(prompts("hang"))
    assert (limited.num_hanging, limited.is_busy) == (1, True)
    assert limited.complete(prompts("go on")) == [Completion("End: Answer")]


def test_the_late_reply_of_an_abandoned_policy_is_ignored(never: threading.Event) -> None:
    late = threading.Event()

    def slow(asked: Sequence[Prompt]) -> list[Completion]:
        if asked[0].text == "slow":
            never.wait()
            late.set()
        return [Completion(prompt.text) for prompt in asked]

    limited = TimeLimited(Does(slow), 0.05)
    with pytest.raises(PolicyError):
        limited.complete(prompts("slow"))
    never.set()
    assert late.wait(10)
    assert limited.complete(prompts("quick")) == [Completion("quick")]


def test_exceptions_of_the_policy_are_raised_by_the_guard() -> None:
    def fail(asked: Sequence[Prompt]) -> list[Completion]:
        raise ZeroDivisionError("by zero")

    with pytest.raises(ZeroDivisionError, match="by zero"):
        TimeLimited(Does(fail), 10).complete(prompts("a"))


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=["exit", "interrupt"])
def test_a_policy_cannot_end_the_program(error: BaseException) -> None:
    def leave(asked: Sequence[Prompt]) -> list[Completion]:
        raise error

    with pytest.raises(PolicyError, match=f"does raised {type(error).__name__}"):
        TimeLimited(Does(leave), 10).complete(prompts("a"))


def test_more_completions_than_prompts_are_cut_after_the_first_too_many() -> None:
    endless = TimeLimited(Does(lambda asked: (Completion("Top") for _ in itertools.count())), 10)
    assert len(endless.complete(prompts("a", "b"))) == 3


BAD: dict[str, Callable[[threading.Event], Any]] = {
    "hangs": lambda never: never.wait(),
    "raises": lambda never: 1 / 0,
    "exits": lambda never: sys.exit(1),
    "gives-too-many": lambda never: itertools.repeat(Completion("Top")),
    "gives-none": lambda never: [],
    "gives-something-else": lambda never: ["Top"],
}


@pytest.mark.parametrize("misbehave", BAD.values(), ids=BAD.keys())
def test_a_policy_that_misbehaves_on_a_question_loses_that_question_alone(
    misbehave: Callable[[threading.Event], Any], never: threading.Event
) -> None:
    def complete(asked: Sequence[Prompt]) -> Any:
        return misbehave(never) if any("bad" in prompt.text for prompt in asked) else ends(asked)

    questions = [Question(id=text, text=text) for text in ("one", "two", "bad", "four")]
    episodes = rollout(TimeLimited(Does(complete), 0.2), FakeBackend([]), questions, Settings(), batch_size=4)
    assert {episode.question.id: episode.failure is None for episode in episodes} == {
        "one": True,
        "two": True,
        "bad": False,
        "four": True,
    }


def test_a_flood_is_cut_and_costs_an_action() -> None:
    flood = TimeLimited(Does(lambda asked: [Completion("Search " + "x" * 3_000_000) for _ in asked]), 10)
    (episode,) = rollout(flood, FakeBackend([]), [Question(id="q", text="q")], Settings(max_actions=2))
    assert (episode.failure, episode.ending, len(episode.steps)) == (None, "max_actions", 2)
    assert all(len(step.completion) == 20_000 for step in episode.steps)
