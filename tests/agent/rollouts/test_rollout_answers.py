"""Answers given again over the same references, and episodes with seeds of their own."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from agent.policy import Completion, Prompt
from agent.rollouts.rollout import Task, answer, has_answering_phase, rollout
from browser_env.backends import FakeBackend
from browser_env.errors import PolicyError
from browser_env.pages.page import Page
from browser_env.records import Episode, Question, Settings

WEB = FakeBackend([Page("http://a.org/crows", "Crows", "Crows bring gifts to people.\n\nMore about ravens here.")])
QUESTIONS = [Question(id=f"q{number}", text=f"What do crows do, part {number}?") for number in range(6)]
SHORT = Settings(max_actions=6)


class Sampling:
    """Browses to a quote of some words, and answers by the seed of its prompt."""

    name = "sampling"

    def __init__(self) -> None:
        self.prompts: list[Prompt] = []

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        self.prompts += prompts
        return [Completion(self._say(prompt)) for prompt in prompts]

    def _say(self, prompt: Prompt) -> str:
        draw = random.Random(prompt.seed)
        if prompt.state.phase == "answering":
            return f"Crows bring gifts, {draw.random()}. [1]"
        words = draw.choice(["bring gifts", "More about ravens", "gifts to people"])
        return ("Search crows", "Clicked on link 0", f"Quote: {words}", "End: Answer")[len(prompt.state.past_actions)]


def browsed(*, seed: int = 0) -> list[Episode]:
    return list(rollout(Sampling(), WEB, QUESTIONS, SHORT, seed=seed))


def test_answers_are_episodes_of_one_step_over_the_same_references() -> None:
    episodes = browsed()
    answers = list(answer(Sampling(), episodes, 3))
    assert len(answers) == 18
    for episode in episodes:
        own = [one for one in answers if one.id.rpartition("-")[0] == episode.id]
        assert [one.id for one in own] == [f"{episode.id}-{number}" for number in (1, 2, 3)]
        for one in own:
            assert (one.question, one.references, one.ending) == (episode.question, episode.references, "answer")
            [step] = one.steps
            assert (step.phase, step.observation) == ("answering", episode.steps[-1].observation)
            assert one.answer == step.completion
        assert len({one.answer for one in (*own, episode)}) == 4


def test_answers_depend_on_the_seed_and_not_on_the_batch() -> None:
    episodes = browsed()

    def texts(seed: int = 0, batch_size: int = 16) -> list[str | None]:
        return [one.answer for one in answer(Sampling(), episodes, 3, seed=seed, batch_size=batch_size)]

    assert texts(batch_size=1) == texts(batch_size=7)
    assert not set(texts(seed=1)) & set(texts(seed=2))


def test_answers_that_are_there_are_not_given_again() -> None:
    [first, *_] = episodes = browsed()
    policy = Sampling()
    given = list(answer(policy, episodes, 2, skip={f"{first.id}-1", f"{episodes[3].id}-2"}))
    assert len(policy.prompts) == len(given) == 10
    assert [one.id for one in given][:2] == [f"{first.id}-2", f"{episodes[1].id}-1"]
    everything = {one.id: one.answer for one in answer(Sampling(), episodes, 2)}
    assert all(everything[one.id] == one.answer for one in given)


@pytest.mark.parametrize(
    "change",
    [{"ending": "nonsense"}, {"ending": None}, {"references": ()}, {"failure": "PolicyError: no"}],
    ids=["nonsense", "not ended", "no references", "failed"],
)
def test_what_has_no_answering_phase_is_not_answered(change: dict[str, object]) -> None:
    episode = replace(browsed()[0], **change)  # type: ignore[arg-type]
    assert not has_answering_phase(episode)
    assert list(answer(Sampling(), [episode], 3)) == []


def test_a_refused_answer_is_a_failed_episode_and_the_others_go_on() -> None:
    class Refusing(Sampling):
        def complete(self, prompts: Sequence[Prompt]) -> list[Completion | PolicyError]:  # type: ignore[override]
            return [
                PolicyError("refused") if prompt.state.question.id == "q1" else Completion(self._say(prompt))
                for prompt in prompts
            ]

    answers = list(answer(Refusing(), browsed(), 2))
    failed = [one for one in answers if one.failure]
    assert [(one.question.id, one.failure, one.steps) for one in failed] == [("q1", "PolicyError: refused", ())] * 2
    assert len(answers) == 12


def test_episodes_with_seeds_of_their_own_are_those_of_rollouts() -> None:
    policy = Sampling()
    tasks = [Task(question, seed, SHORT) for seed in (0, 5) for question in QUESTIONS]
    together = {(one.question.id, one.seed): one for one in rollout(policy, WEB, tasks, batch_size=12)}
    for seed in (0, 5):
        for alone in browsed(seed=seed):
            one = together[alone.question.id, seed]
            assert (one.id, [step.completion for step in one.steps]) == (alone.id, [step.completion for step in alone.steps])
