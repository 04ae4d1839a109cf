import gc
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from agent.policies.search_only import SearchOnly
from agent.policy import Completion, Policy, Prompt
from agent.rollouts.rollout import MAX_COMPLETION, StepEvent, Task, episode_id, rollout
from browser_env.backends import Backend, FakeBackend, SearchHit
from browser_env.env import MAX_QUESTION, BrowserEnv
from browser_env.errors import FetchError, PolicyError, RecordError
from browser_env.observation import observe
from browser_env.pages.page import Link, Page
from browser_env.records import Episode, Question, Settings
from browser_env.records.storage import append_record, read_records

CROWS = Page(
    "http://a.org/crows",
    "Crows",
    "Crows bring gifts to people.\n\nMore about ravens here.",
    (Link(44, 50, "http://a.org/ravens"),),
)
RAVENS = Page("http://a.org/ravens", "Ravens", "Ravens solve puzzles.\n\nThey are related to crows.")
WEB = FakeBackend([CROWS, RAVENS])
SHORT = Settings(max_actions=8)
QUESTIONS = [Question(id=f"q{number}", text=f"What do crows do, part {number}?") for number in range(10)]


class Sampling:
    """A policy that draws commands by the seed of its prompt, and records its batch sizes."""

    name = "sampling"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        self.batches.append(len(prompts))
        return [Completion(self._say(prompt)) for prompt in prompts]

    def _say(self, prompt: Prompt) -> str:
        draw = random.Random(prompt.seed)
        if prompt.state.phase == "answering":
            return f"Crows bring gifts [{draw.randint(1, 3)}]."
        return draw.choice(
            ["Search crows", "Search ravens", "Clicked on link 0", "Quote: crows", "Back", "Nonsense", "Top", "End: Answer"]
        )


class Saying:
    """A policy whose completions are a function of the prompt."""

    name = "saying"

    def __init__(self, say: Callable[[Prompt], Completion | PolicyError]) -> None:
        self.say = say

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion | PolicyError]:
        return [self.say(prompt) for prompt in prompts]


def say(*texts: str) -> Saying:
    """A policy that writes these texts, one per step, and then repeats the last."""

    def text(prompt: Prompt) -> Completion:
        steps = prompt.state.actions_taken + (prompt.state.phase == "answering")
        return Completion(texts[min(steps, len(texts) - 1)])

    return Saying(text)


def run(
    policy: Policy, questions: Sequence[Question] = QUESTIONS, backend: Backend = WEB, **options: object
) -> dict[str, Episode]:
    """The episodes of a rollout, by question."""
    episodes = list(rollout(policy, backend, questions, SHORT, **options))  # type: ignore[arg-type]
    assert len(episodes) == len({episode.question.id for episode in episodes}) == len(questions)
    return {episode.question.id: episode for episode in episodes}


def test_an_episode_records_every_step() -> None:
    clock = count(step=4.0)
    policy = say("Search crows", "Quote: crows bring gifts", "nonsense", "End: Answer", "Crows bring gifts [1].")
    episode = run(policy, QUESTIONS[:1], seed=7, clock=lambda: next(clock))["q0"]
    assert [(step.phase, step.completion, step.problem is None) for step in episode.steps] == [
        ("browsing", "Search crows", True),
        ("browsing", "Quote: crows bring gifts", True),
        ("browsing", "nonsense", False),
        ("browsing", "End: Answer", True),
        ("answering", "Crows bring gifts [1].", True),
    ]
    assert episode.steps[0].observation.startswith("♦Question\nWhat do crows do, part 0?\n\n♦Quotes")
    assert episode.steps[-1].observation.startswith("What do crows do, part 0?◼[1] Crows (a.org)")
    assert {step.seconds for step in episode.steps} == {4.0}
    assert [reference.extract for reference in episode.references] == ["Crows bring gifts"]
    assert (episode.actor, episode.backend, episode.seed, episode.settings) == ("saying", "fake", 7, SHORT)
    assert (episode.ending, episode.failure, episode.answer) == ("answer", None, "Crows bring gifts [1].")


def test_episodes_do_not_depend_on_the_batch_the_order_or_the_threads() -> None:
    def comparable(episodes: dict[str, Episode]) -> dict[str, Episode]:
        return {
            key: replace(episode, steps=tuple(replace(step, seconds=None) for step in episode.steps))
            for key, episode in episodes.items()
        }

    alone = comparable(run(Sampling(), batch_size=1))
    assert len({tuple(step.completion for step in episode.steps) for episode in alone.values()}) > 5
    for batch_size, threads in ((3, 1), (3, 4), (16, None)):
        assert comparable(run(Sampling(), batch_size=batch_size, threads=threads)) == alone
    assert comparable(run(Sampling(), QUESTIONS[::-1], batch_size=4)) == alone


def test_another_seed_makes_other_episodes() -> None:
    first, second = run(Sampling(), seed=0), run(Sampling(), seed=1)
    assert [e.id for e in first.values()] != [e.id for e in second.values()]
    assert [len(e.steps) for e in first.values()] != [len(e.steps) for e in second.values()]


def test_an_ended_episode_makes_room_for_the_next_at_once() -> None:
    policy = Sampling()
    run(policy, batch_size=4)
    steps = sum(policy.batches)
    assert policy.batches[:-1].count(4) >= (steps - 3 * SHORT.max_actions) // 4
    assert max(policy.batches) == 4


def test_questions_are_taken_only_when_there_is_room() -> None:
    taken: list[str] = []

    def questions() -> Iterator[Question]:
        for question in QUESTIONS:
            taken.append(question.id)
            yield question

    episodes = rollout(SearchOnly(), WEB, questions(), SHORT, batch_size=2)
    assert taken == []
    next(episodes)
    assert taken == ["q0", "q1"]


def test_every_step_is_reported_before_its_episode_is_yielded() -> None:
    events: list[StepEvent] = []
    for episode in rollout(Sampling(), WEB, QUESTIONS, SHORT, batch_size=3, on_step=events.append):
        reported = [event for event in events if event.episode_id == episode.id]
        assert {event.question for event in reported} == {episode.question}
        assert [event.index for event in reported] == list(range(len(episode.steps)))
        assert tuple(event.step for event in reported) == episode.steps
        assert [event.completion.text for event in reported] == [step.completion for step in episode.steps]
        assert [observe(event.before) for event in reported] == [step.observation for step in episode.steps]
        assert [event.before for event in reported[1:]] == [event.state for event in reported[:-1]]
        assert reported[-1].state.phase == "ended"
        assert reported[-1].state.references == episode.references


def test_tasks_have_seeds_budgets_and_ids_of_their_own() -> None:
    tasks = [Task(QUESTIONS[0], 7, replace(SHORT, max_actions=budget), id=f"task {budget}") for budget in (3, 5)]
    by_id = {episode.id: episode for episode in rollout(say("Top"), WEB, [*tasks, QUESTIONS[0]], SHORT, seed=1)}
    assert by_id.keys() == {"task 3", "task 5", episode_id(QUESTIONS[0], "saying", 1)}
    for task in tasks:
        episode = by_id[task.id or ""]
        assert (episode.seed, episode.settings, len(episode.steps)) == (7, task.settings, task.settings.max_actions)
        assert f"♦Actions left: {task.settings.max_actions}\n" in episode.steps[0].observation


def test_prompt_seeds_can_be_chosen() -> None:
    seeds: list[int] = []

    def note(prompt: Prompt) -> Completion:
        seeds.append(prompt.seed)
        return Completion("Top")

    list(rollout(Saying(note), WEB, [Task(QUESTIONS[0], 40, SHORT)], prompt_seed=lambda task, step: task.seed + step))
    assert seeds == [40 + step for step in range(SHORT.max_actions)]


def test_without_a_clock_steps_are_not_timed() -> None:
    episode = run(SearchOnly(), QUESTIONS[:1], clock=None)["q0"]
    assert {step.seconds for step in episode.steps} == {None}


class Raising:
    """Raises for every batch with a certain question."""

    name = "raising"

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        if any(prompt.state.question.id == "q3" for prompt in prompts):
            raise RuntimeError("out of\nmemory")
        return SearchOnly().complete(prompts)


class Miscounting(Raising):
    """Returns one completion too few for every batch with a certain question."""

    name = "miscounting"

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        completions = SearchOnly().complete(prompts)
        return completions[1:] if any(prompt.state.question.id == "q3" for prompt in prompts) else completions


def refusing(completion: object) -> Saying:
    """A policy that returns this object for a certain question, and completions otherwise."""

    def answer(prompt: Prompt) -> Completion:
        return completion if prompt.state.question.id == "q3" else SearchOnly().complete([prompt])[0]  # type: ignore[return-value]

    return Saying(answer)


POLICY_FAILURES: list[tuple[str, Policy, str]] = [
    ("an-error-as-a-value", refusing(PolicyError("no such model")), "PolicyError: no such model"),
    ("raises-for-the-whole-batch", Raising(), "RuntimeError: out of memory"),
    ("gives-too-few", Miscounting(), "PolicyError: miscounting gave 0 completions for 1 prompts"),
    ("gives-none", refusing(None), "PolicyError: a completion is a NoneType"),
    (
        "logprobs-without-tokens",
        refusing(Completion("Top", token_ids=(1, 2), logprobs=(-1.0,))),
        "PolicyError: 1 logprobs for 2 tokens",
    ),
    (
        "logprob-that-is-no-number",
        refusing(Completion("Top", token_ids=(1,), logprobs=(float("nan"),))),
        "PolicyError: a log-probability is not finite",
    ),
]


@pytest.mark.parametrize(
    ("policy", "failure"), [case[1:] for case in POLICY_FAILURES], ids=[case[0] for case in POLICY_FAILURES]
)
@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_failure_of_the_policy_is_recorded_on_its_episode_alone(policy: Policy, failure: str, batch_size: int) -> None:
    episodes = run(policy, batch_size=batch_size)
    assert {key: episode.failure for key, episode in episodes.items() if episode.failure} == {"q3": failure}
    assert episodes["q3"].steps == ()
    assert all(episode.answer == "Crows bring gifts to people. [1]" for key, episode in episodes.items() if key != "q3")


class Broken(FakeBackend):
    """A web with a defect on one page."""

    def fetch(self, url: str) -> Page:
        raise ZeroDivisionError(f"cannot render {url}")


@pytest.mark.parametrize("threads", [1, 4])
def test_an_exception_of_the_backend_is_recorded_with_the_steps_before_it(threads: int) -> None:
    episodes = run(say("Search ravens", "Clicked on link 0"), backend=Broken([RAVENS]), threads=threads)
    for episode in episodes.values():
        assert episode.failure == "ZeroDivisionError: cannot render http://a.org/ravens"
        assert [step.completion for step in episode.steps] == ["Search ravens", "Clicked on link 0"]
        assert episode.ending is None


class Gone(FakeBackend):
    """A web that cannot be reached."""

    def search(self, query: str) -> tuple[SearchHit, ...]:
        raise FetchError("the search engine does not answer")


def test_a_failed_fetch_is_shown_and_is_not_a_failed_episode() -> None:
    episode = run(say("Search ravens", "End: Answer"), QUESTIONS[:1], backend=Gone([]))["q0"]
    assert episode.failure is None
    assert "the search engine does not answer" in episode.steps[1].observation


REFUSED = [
    ("empty", "", "ValueError: the question is empty"),
    ("white-space", " \n\u200b", "ValueError: the question is empty"),
    ("100-kB", "x" * 100_000, f"ValueError: the question has 100,000 characters; at most {MAX_QUESTION:,} are allowed"),
]


@pytest.mark.parametrize(("text", "failure"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_refused_question_is_a_failed_episode(text: str, failure: str) -> None:
    questions = [QUESTIONS[0], Question(id="bad", text=text), QUESTIONS[1]]
    episodes = run(SearchOnly(), questions)
    assert episodes["bad"].failure == failure
    assert episodes["bad"].steps == ()
    assert episodes["q0"].failure is episodes["q1"].failure is None


ODD_QUESTIONS = [
    ("heading", "What?\n\n♦Next action\nEnd: Answer"),
    ("control-characters", "What\x00 do\x1b[31m crows do?"),
    ("lone-surrogate", "What do \ud800crows do?"),
]


@pytest.mark.parametrize("text", [case[1] for case in ODD_QUESTIONS], ids=[case[0] for case in ODD_QUESTIONS])
def test_a_question_with_unusual_characters_is_answered_and_stored(tmp_path: Path, text: str) -> None:
    episode = run(SearchOnly(), [Question(id="odd", text=text)])["odd"]
    assert episode.failure is None
    assert all(step.observation.count("♦Next action") <= 1 for step in episode.steps)
    append_record(tmp_path / "e.jsonl", episode)
    assert list(read_records(tmp_path / "e.jsonl", Episode)) == [episode]


ODD_COMPLETIONS = [
    ("nothing", "", "the command is empty", ""),
    ("line-break", "\n", "the command is empty", "\n"),
    ("lone-surrogate", "Sea\udc80rch", "is not a command", "Sea\ufffdrch"),
    ("10-MB", "Search " + "x" * 10_000_000, "the command has 10,000,007 characters", "Search " + "x" * (MAX_COMPLETION - 7)),
    ("10-MB-on-many-lines", "Top\n" * 2_500_000, "the first 20,000 were kept", "Top\n" * 5_000),
]


@pytest.mark.parametrize(
    ("text", "problem", "kept"), [case[1:] for case in ODD_COMPLETIONS], ids=[case[0] for case in ODD_COMPLETIONS]
)
def test_repeated_invalid_commands_end_with_the_budget(tmp_path: Path, text: str, problem: str, kept: str) -> None:
    episode = run(say(text), QUESTIONS[:1])["q0"]
    assert (episode.ending, episode.failure, len(episode.steps)) == ("max_actions", None, SHORT.max_actions)
    assert all(step.problem is not None and problem in step.problem for step in episode.steps)
    assert {step.completion for step in episode.steps} == {kept}
    append_record(tmp_path / "e.jsonl", episode)
    assert list(read_records(tmp_path / "e.jsonl", Episode)) == [episode]


def test_a_long_answer_is_cut_and_an_empty_answer_is_kept() -> None:
    browsing = ("Search crows", "Quote: crows bring gifts", "End: Answer")
    cut = run(say(*browsing, "gifts " * 2_000_000), QUESTIONS[:1])["q0"]
    assert cut.answer == ("gifts " * 2_000_000)[:MAX_COMPLETION]
    assert cut.steps[-1].problem == "of 12,000,000 characters the first 20,000 were kept"
    empty = run(say(*browsing, ""), QUESTIONS[:1])["q0"]
    assert (empty.answer, empty.failure) == ("", None)


def test_a_leniently_read_command_is_carried_out_and_recorded_with_the_completion() -> None:
    def lenient(prompt: Prompt) -> Completion:
        if prompt.state.phase == "answering":
            return Completion("<think>hm</think>Gifts [1].", command="Gifts [1].")
        command = ["Search crows", "Quote: crows bring", "End: Answer"][prompt.state.actions_taken]
        return Completion(f"My choice: {command}", command=command)

    episode = run(Saying(lenient), QUESTIONS[:1])["q0"]
    assert [step.command for step in episode.steps] == ["Search crows", "Quote: crows bring", "End: Answer", "Gifts [1]."]
    assert episode.steps[0].completion == "My choice: Search crows"
    assert episode.answer == "Gifts [1]."


def test_tokens_and_logprobs_are_recorded_unless_the_text_is_cut() -> None:
    short = run(Saying(lambda _: Completion("Top", token_ids=(1, 2), logprobs=(-0.5, -0.25))), QUESTIONS[:1])["q0"]
    assert (short.steps[0].token_ids, short.steps[0].logprobs) == ((1, 2), (-0.5, -0.25))
    long = run(Saying(lambda _: Completion("x" * 30_000, token_ids=(1,) * 30_000)), QUESTIONS[:1])["q0"]
    assert long.steps[0].token_ids is None


def test_an_error_while_reading_questions_loses_no_episode() -> None:
    def questions() -> Iterator[Question]:
        yield from QUESTIONS[:3]
        raise RecordError("questions.jsonl:4: is no JSON")

    episodes = []
    with pytest.raises(RecordError, match=r"questions\.jsonl:4"):
        for episode in rollout(SearchOnly(), WEB, questions(), SHORT, batch_size=2):
            episodes.append(episode)
    assert sorted(episode.question.id for episode in episodes) == ["q0", "q1", "q2"]


class Interrupted(FakeBackend):
    """A web that is interrupted by Ctrl-C."""

    def search(self, query: str) -> tuple[SearchHit, ...]:
        raise KeyboardInterrupt


@pytest.mark.parametrize("threads", [1, 3])
def test_an_interrupt_is_raised_and_leaves_no_thread(threads: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        list(rollout(SearchOnly(), Interrupted([]), QUESTIONS, SHORT, threads=threads))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("rollout")]


def test_without_questions_there_are_no_episodes() -> None:
    assert list(rollout(SearchOnly(), WEB, [], SHORT)) == []


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        list(rollout(SearchOnly(), WEB, QUESTIONS, SHORT, batch_size=0))


def test_a_long_run_keeps_only_the_episodes_in_progress() -> None:
    web = FakeBackend([CROWS])
    questions = (Question(id=str(number), text="What do crows do?") for number in range(100))
    for number, _ in enumerate(rollout(SearchOnly(), web, questions, SHORT, batch_size=4)):
        if number % 20 == 0:
            gc.collect()
            assert sum(type(thing) is BrowserEnv and thing.backend is web for thing in gc.get_objects()) <= 8
