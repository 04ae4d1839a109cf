import math
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.policy import Completion, Prompt
from agent.rollouts.best_of_n import (
    best,
    best_of_n,
    best_of_n_curve,
    best_of_n_kl,
    expected_best,
    sample_answers,
    sample_episodes,
    sample_seed,
)
from agent.rollouts.rollout import StepEvent, rollout
from agent.score import Scored
from browser_env.backends import FakeBackend
from browser_env.errors import PolicyError
from browser_env.pages.page import Page
from browser_env.records import Episode, Question, Settings

WEB = FakeBackend([Page("http://a.org/crows", "Crows", "Crows bring gifts to people.")])
SHORT = Settings(max_actions=6)
QUESTIONS = [Question(id=str(number), text=f"What do crows do, part {number}?") for number in range(4)]


class Sampling:
    """A policy that searches, quotes, ends and answers with a number, by the seed of its prompt."""

    name = "sampling"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion | PolicyError]:
        self.batches.append(len(prompts))
        return [Completion(self._say(prompt)) for prompt in prompts]

    def _say(self, prompt: Prompt) -> str:
        draw = random.Random(prompt.seed)
        if prompt.state.phase == "answering":
            return f"{draw.randint(0, 999)} [1]."
        commands = ["Search crows", "Quote: Crows bring gifts", "Quote: gifts", "Top", "End: Answer"]
        return commands[min(prompt.state.actions_taken, 4)] if draw.random() < 0.8 else draw.choice(commands)


class Number:
    """Scores an answer by the number in it, and counts the answers."""

    name = "number"

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, items: Sequence[Scored]) -> list[float]:
        self.asked += len(items)
        return [float(item.answer.split()[0]) for item in items]


def plain(episode: Episode) -> Episode:
    """The episode without the seconds of its steps."""
    return replace(episode, steps=tuple(replace(step, seconds=None) for step in episode.steps))


def test_each_sample_is_the_episode_of_its_seed() -> None:
    groups = list(sample_episodes(Sampling(), WEB, QUESTIONS, SHORT, 5, seed=7, batch_size=16))
    assert sorted(samples[0].question.id for samples in groups) == ["0", "1", "2", "3"]
    for samples in groups:
        (question,) = [question for question in QUESTIONS if question.id == samples[0].question.id]
        for number, sample in enumerate(samples):
            (alone,) = rollout(Sampling(), WEB, [question], SHORT, seed=sample_seed(7, number))
            assert plain(sample) == plain(alone)
    assert len({sample.id for samples in groups for sample in samples}) == 20
    assert sample_seed(7, 0) == 7


def test_one_question_fills_the_batch() -> None:
    policy = Sampling()
    list(sample_episodes(policy, WEB, QUESTIONS[:1], SHORT, 12, batch_size=12))
    assert policy.batches[0] == 12


def test_a_repeated_question_is_answered_twice() -> None:
    groups = list(sample_episodes(Sampling(), WEB, [QUESTIONS[0], QUESTIONS[0]], SHORT, 2))
    assert [plain(sample) for sample in groups[0]] == [plain(sample) for sample in groups[1]]


@pytest.mark.parametrize("mode", ["episodes", "answers"])
def test_the_best_of_n_is_the_highest_of_its_samples(mode: str) -> None:
    score = Number()
    chosen = {
        episode.question.id: episode
        for episode in best_of_n(Sampling(), WEB, QUESTIONS, SHORT, score, 6, mode=mode, seed=3)  # type: ignore[arg-type]
    }
    assert chosen.keys() == {"0", "1", "2", "3"}
    for question in QUESTIONS:
        if mode == "episodes":
            (samples,) = sample_episodes(Sampling(), WEB, [question], SHORT, 6, seed=3)
        else:
            (first,) = rollout(Sampling(), WEB, [question], SHORT, seed=3)
            samples = sample_answers(Sampling(), first, 6)
        answers = [sample.answer for sample in samples if sample.answer]
        assert chosen[question.id].answer == max(answers, key=lambda text: int(text.split()[0]))
        assert plain(chosen[question.id]) in map(plain, samples)
    assert score.asked > 12


def test_best_of_1_is_a_rollout() -> None:
    ours = {e.question.id: plain(e) for e in best_of_n(Sampling(), WEB, QUESTIONS, SHORT, Number(), 1, seed=2)}
    assert ours == {e.question.id: plain(e) for e in rollout(Sampling(), WEB, QUESTIONS, SHORT, seed=2)}


def test_answers_differ_over_the_same_references() -> None:
    (episode,) = rollout(Sampling(), WEB, QUESTIONS[:1], SHORT, seed=3)
    samples = sample_answers(Sampling(), episode, 8, batch_size=3)
    assert samples[0] is episode and len(samples) == 8
    assert len({sample.answer for sample in samples}) > 4 and len({sample.id for sample in samples}) == 8
    assert {(sample.references, sample.steps[:-1], sample.steps[-1].observation) for sample in samples} == {
        (episode.references, episode.steps[:-1], episode.steps[-1].observation)
    }
    for number, size in ((8, 16), (4, 3)):
        again = sample_answers(Sampling(), episode, number, batch_size=size)
        assert [plain(sample) for sample in again] == [plain(sample) for sample in samples[:number]]


def test_samples_with_an_answer_come_before_those_without_and_failures_come_last() -> None:
    (answered,) = rollout(Sampling(), WEB, QUESTIONS[:1], SHORT, seed=3)
    silent = replace(answered, id="silent", steps=answered.steps[:-1])
    failed = replace(answered, id="failed", failure="it broke")
    assert best([failed, silent, answered], Number()) is answered
    assert best([failed, silent], Number()) is silent
    assert best([failed], Number()) is failed
    assert best([answered, replace(answered, id="same")], Number()) is answered  # the first of equals
    assert sample_answers(Sampling(), failed, 5) == (failed,)


def test_the_steps_of_all_samples_are_reported() -> None:
    events: list[StepEvent] = []
    groups = list(sample_episodes(Sampling(), WEB, QUESTIONS, SHORT, 3, on_step=events.append))
    assert len(events) == sum(len(sample.steps) for samples in groups for sample in samples)
    assert {event.question for event in events} == set(QUESTIONS) == {event.state.question for event in events}


def brute_force(scores: list[float], values: list[float], n: int) -> float:
    """The mean over all subsets of the value of the highest-scoring sample, or of the mean of equal ones."""
    best_values = []
    for subset in combinations(range(len(scores)), n):
        top = max(scores[index] for index in subset)
        equals = [values[index] for index in subset if scores[index] == top]
        best_values.append(sum(equals) / len(equals))
    return sum(best_values) / len(best_values)


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(-5, 5)), min_size=1, max_size=8), st.data())
def test_the_estimator_is_the_mean_over_all_subsets(pairs: list[tuple[int, float]], data: st.DataObject) -> None:
    scores, values = [float(score) for score, _ in pairs], [value for _, value in pairs]
    n = data.draw(st.integers(1, len(pairs)))
    assert expected_best(scores, values, n) == pytest.approx(brute_force(scores, values, n), abs=1e-9)


def test_the_estimator_is_the_sum_of_appendix_i() -> None:
    draw = random.Random(0)
    scores, values = [draw.random() for _ in range(64)], [draw.gauss(0, 1) for _ in range(64)]
    order = sorted(range(64), key=lambda index: scores[index])
    for n in (1, 2, 16, 63, 64):
        terms = (math.comb(i - 1, n - 1) / math.comb(64, n) * values[order[i - 1]] for i in range(n, 65))
        assert expected_best(scores, values, n) == pytest.approx(math.fsum(terms), abs=1e-12)
    assert expected_best(scores, values, 1) == pytest.approx(sum(values) / 64)
    assert expected_best(scores, values, 64) == values[order[-1]]
    assert expected_best(scores, [1.0] * 64, 32) == pytest.approx(1, abs=1e-14)


@pytest.mark.parametrize(("n", "kl"), [(1, 0), (4, 0.64), (16, 1.84), (64, 3.17)])
def test_the_kl_divergence_is_that_of_the_paper(n: int, kl: float) -> None:
    assert best_of_n_kl(n) == pytest.approx(kl, abs=0.005)


def test_the_curve_of_the_choosing_score_rises_more_than_that_of_the_gold_score() -> None:
    draw = random.Random(1)
    gold = [[draw.gauss(0, 1) for _ in range(16)] for _ in range(100)]
    proxy = [[value + draw.gauss(0, 1) for value in row] for row in gold]
    curve = best_of_n_curve(proxy, {"proxy": proxy, "gold": gold}, resamples=500)
    assert [point.n for point in curve] == [1, 2, 4, 8, 16]
    means = {judge: [point.values[judge].mean for point in curve] for judge in ("proxy", "gold")}
    assert all(means[judge] == sorted(means[judge]) for judge in means)
    assert means["proxy"][-1] > means["gold"][-1] > 0.8
    assert all(point.values["gold"].low < point.values["gold"].mean < point.values["gold"].high for point in curve)


@pytest.mark.parametrize("n", [0, 3])
def test_n_outside_the_number_of_samples_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match="n must be"):
        expected_best([1, 2], [1, 2], n)
