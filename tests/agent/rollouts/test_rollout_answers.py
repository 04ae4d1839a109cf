"""Answering-only episodes, and tasks with seeds of their own."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from agent.policy import Completion, Prompt
from agent.rollouts.rollout import StepEvent, Task, answer, has_answering_phase, rollout
from browser_env.backends import FakeBackend
from browser_env.errors import PolicyError
from browser_env.pages.page import Page
from browser_env.records import Episode, Question, Settings

WEB = FakeBackend([Page("http://a.org/crows", "Crows", "Crows bring gifts to people.\n\nMore about ravens here.")])
QUESTIONS = [Question(id=f"q{number}", text=f"What do crows do, part {number}?") for number in range(6)]
SHORT = Settings(max_actions=6)


class Sampling:
    """A policy that quotes and answers by the seed of its prompt, and records its prompts."""

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
        further = [answered for answered in answers if answered.id.rpartition("-")[0] == episode.id]
        assert [answered.id for answered in further] == [f"{episode.id}-{number}" for number in (1, 2, 3)]
        for answered in further:
            assert (answered.question, answered.references, answered.ending) == (episode.question, episode.references, "answer")
            [step] = answered.steps
            assert (step.phase, step.observation) == ("answering", episode.steps[-1].observation)
            assert answered.answer == step.completion
        assert len({answered.answer for answered in (*further, episode)}) == 4


def test_the_steps_of_answers_are_reported() -> None:
    events: list[StepEvent] = []
    answers = list(answer(Sampling(), browsed(), 2, seed=5, on_step=events.append))
    assert [(event.episode_id, event.seed, event.step) for event in events] == [
        (answered.id, 5, answered.steps[0]) for answered in answers
    ]
    assert {(event.index, event.before.phase, event.state.phase) for event in events} == {(0, "answering", "ended")}


def test_the_seeds_of_answers_can_be_chosen() -> None:
    policy = Sampling()
    list(answer(policy, browsed()[:1], 3, prompt_seed=lambda episode, number: 100 + number))
    assert [prompt.seed for prompt in policy.prompts] == [101, 102, 103]


def test_answers_depend_on_the_seed_and_not_on_the_batch() -> None:
    episodes = browsed()

    def texts(seed: int = 0, batch_size: int = 16) -> list[str | None]:
        return [answered.answer for answered in answer(Sampling(), episodes, 3, seed=seed, batch_size=batch_size)]

    assert texts(batch_size=1) == texts(batch_size=7)
    assert not set(texts(seed=1)) & set(texts(seed=2))


def test_existing_answers_are_skipped() -> None:
    [first, *_] = episodes = browsed()
    policy = Sampling()
    answers = list(answer(policy, episodes, 2, skip={f"{first.id}-1", f"{episodes[3].id}-2"}))
    assert len(policy.prompts) == len(answers) == 10
    assert [answered.id for answered in answers][:2] == [f"{first.id}-2", f"{episodes[1].id}-1"]
    texts = {answered.id: answered.answer for answered in answer(Sampling(), episodes, 2)}
    assert all(texts[answered.id] == answered.answer for answered in answers)


@pytest.mark.parametrize(
    "change",
    [{"ending": "nonsense"}, {"ending": None}, {"references": ()}, {"failure": "PolicyError: no"}],
    ids=["nonsense", "not ended", "no references", "failed"],
)
def test_episodes_without_an_answering_phase_are_skipped(change: dict[str, object]) -> None:
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
    failed = [answered for answered in answers if answered.failure]
    assert [(answered.question.id, answered.failure, answered.steps) for answered in failed] == [
        ("q1", "PolicyError: refused", ())
    ] * 2
    assert len(answers) == 12


def test_tasks_with_different_seeds_share_batches_and_make_the_episodes_of_each_seed() -> None:
    policy = Sampling()
    tasks = [Task(question, seed, SHORT) for seed in (0, 5) for question in QUESTIONS]
    together = {episode.id: episode for episode in rollout(policy, WEB, tasks, batch_size=12)}
    for seed in (0, 5):
        for alone in browsed(seed=seed):
            assert together[alone.id].seed == seed
            assert [step.completion for step in together[alone.id].steps] == [step.completion for step in alone.steps]
