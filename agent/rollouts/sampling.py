"""A resumable file of sampled episodes of one policy."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from agent.policy import Policy
from agent.rollouts.best_of_n import Answering, sample_seed
from agent.rollouts.rollout import answer, answer_id, episode_id, has_answering_phase, rollout, rollout_seeds
from browser_env.backends import Backend
from browser_env.errors import RecordError, UsageError
from browser_env.records import Episode, Question, Settings
from browser_env.records.files import Json, write_whole
from browser_env.records.storage import append_record, drop_torn_line, read_records

ShowProgress = Callable[[str, int, int], AbstractContextManager[Callable[[], None]]]
"""From a description, a total and the number already done to a context in which a callback is called per finished episode."""


def no_progress(description: str, total: int, done: int) -> AbstractContextManager[Callable[[], None]]:
    """Show nothing."""
    return nullcontext(lambda: None)


@dataclass(frozen=True, slots=True)
class Samples:
    """A file of episodes of one policy, to which the missing ones are added."""

    path: Path
    policy: Policy
    web: Backend
    settings: Settings
    seed: int

    def begin(self, config: Mapping[str, Json]) -> None:
        """Make the file, or find that it is of the same configuration.

        Raises:
            UsageError: It is of another one, or of something else.
            RecordError: The configuration beside it cannot be read.
        """
        beside = self.path.with_name(f"{self.path.name}.config.json")
        now = json.loads(json.dumps(config))
        if beside.exists():
            before = _read_config(beside)
            differing = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
            if differing:
                raise UsageError(f"{self.path} was sampled with another {', '.join(differing)}; choose another --out")
        elif self.path.exists() and self.path.stat().st_size:
            raise UsageError(f"{self.path} is there and was not sampled by this command; choose another --out")
        else:
            # Whole before the first episode, which makes the file one of samples.
            write_whole(beside, f"{json.dumps(now, indent=2)}\n")
        drop_torn_line(self.path)

    def run(
        self,
        questions: Sequence[Question],
        num: int,
        num_answers: int,
        batch_size: int,
        best_of: int = 1,
        answering: Answering = rollout,
        progress: ShowProgress = no_progress,
    ) -> None:
        """Add the episodes that are missing: all browsing first, then the further answers.

        Args:
            questions: What is asked.
            num: Episodes of each.
            num_answers: Further answers over the references of each episode.
            batch_size: Episodes in flight.
            best_of: Each episode is the best of so many.
            answering: How they are chosen.
            progress: Shows how far the sampling is.
        """
        done = {episode.id for episode in self._episodes()}
        # Groups of samples that are chosen from count downwards, so that no sample is in two of them.
        seeds = [sample_seed(self.seed, sample if best_of == 1 else -sample) for sample in range(num)]
        asked = {
            (question, seed): {episode_id(question, self.policy.name, sample_seed(seed, one)) for one in range(best_of)}
            for seed in seeds
            for question in questions
        }
        missing = [each for each, ids in asked.items() if not ids & done]
        with progress(self.policy.name, len(asked), len(asked) - len(missing)) as advance:
            for episode in self._browsed(missing, batch_size, best_of, answering):
                append_record(self.path, episode, fsync=True)
                advance()
        if not num_answers:
            return
        known = {one for ids in asked.values() for one in ids}
        browsed = [episode for episode in self._episodes() if episode.id in known and has_answering_phase(episode)]
        wanted = [answer_id(episode, number) for episode in browsed for number in range(1, num_answers + 1)]
        there = done.intersection(wanted)
        with progress(f"{self.policy.name}, further answers", len(wanted), len(there)) as advance:
            for episode in answer(self.policy, browsed, num_answers, seed=self.seed, skip=there, batch_size=batch_size):
                append_record(self.path, episode, fsync=True)
                advance()

    def _browsed(
        self, asked: Sequence[tuple[Question, int]], batch_size: int, best_of: int, answering: Answering
    ) -> Iterator[Episode]:
        if best_of == 1:  # all seeds in the same batches
            yield from rollout_seeds(self.policy, self.web, asked, self.settings, batch_size=batch_size)
            return
        for seed in dict.fromkeys(seed for _, seed in asked):
            questions = [question for question, own in asked if own == seed]
            yield from answering(self.policy, self.web, questions, self.settings, seed=seed, batch_size=batch_size)

    def _episodes(self) -> Iterator[Episode]:
        return read_records(self.path, Episode) if self.path.exists() else iter(())


def _read_config(path: Path) -> Mapping[str, Json]:
    try:
        config = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise RecordError(f"{path}: is no configuration; choose another --out") from error
    if not isinstance(config, dict):
        raise RecordError(f"{path}: is no configuration; choose another --out")
    return config
