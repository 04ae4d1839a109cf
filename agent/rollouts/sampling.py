"""A resumable file of sampled episodes of one policy."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from agent.policy import Policy
from agent.rollouts.best_of_n import Answering, sample_seed
from agent.rollouts.rollout import Task, answer, answer_id, episode_id, has_answering_phase, rollout
from browser_env.backends import Backend
from browser_env.errors import RecordError, UsageError
from browser_env.records import Episode, Question, Settings
from browser_env.records.files import Json, write_atomically
from browser_env.records.storage import append_record, drop_torn_line, read_records

ShowProgress = Callable[[str, int, int], AbstractContextManager[Callable[[], None]]]
"""Maps a description, a total and the number already done to a context whose callback is called per finished episode."""


def no_progress(description: str, total: int, done: int) -> AbstractContextManager[Callable[[], None]]:
    """A `ShowProgress` that shows nothing."""
    return nullcontext(lambda: None)


@dataclass(frozen=True, slots=True)
class Samples:
    """A file of sampled episodes of one policy, to which missing episodes are added."""

    path: Path
    policy: Policy
    web: Backend
    settings: Settings
    seed: int

    def begin(self, config: Mapping[str, Json]) -> None:
        """Create the file with its configuration beside it, or check that an existing file has the same configuration.

        Raises:
            UsageError: The file has another configuration, or was not sampled by this command.
            RecordError: The configuration file cannot be read.
        """
        config_path = self.path.with_name(f"{self.path.name}.config.json")
        config = json.loads(json.dumps(config))
        if config_path.exists():
            earlier = _read_config(config_path)
            changed = sorted(key for key in {*earlier, *config} if earlier.get(key) != config.get(key))
            if changed:
                raise UsageError(f"{self.path} was sampled with another {', '.join(changed)}; choose another --out")
        elif self.path.exists() and self.path.stat().st_size:
            raise UsageError(f"{self.path} exists and was not sampled by this command; choose another --out")
        else:
            # The configuration is on disk before the first episode, because it marks the file as one of samples.
            write_atomically(config_path, f"{json.dumps(config, indent=2)}\n")
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
        """Add the missing episodes: whole episodes first, then further answers over their references.

        Args:
            questions: Questions to answer.
            num: Number of episodes of each question.
            num_answers: Number of further answers for each episode.
            batch_size: Number of episodes in progress at a time.
            best_of: Number of samples that each episode is the best of.
            answering: Chooses the best sample; used if `best_of` is above 1.
            progress: Shows the progress of the sampling.
        """
        done = {episode.id for episode in self._episodes()}
        # Seeds of best-of-n groups are sample numbers below 0, so that no group shares a sample with another.
        seeds = [sample_seed(self.seed, sample if best_of == 1 else -sample) for sample in range(num)]
        ids = {
            task: {episode_id(task.question, self.policy.name, sample_seed(task.seed, number)) for number in range(best_of)}
            for seed in seeds
            for task in (Task(question, seed, self.settings) for question in questions)
        }
        missing = [task for task, episode_ids in ids.items() if not episode_ids & done]
        with progress(self.policy.name, len(ids), len(ids) - len(missing)) as advance:
            for episode in self._sampled(missing, batch_size, best_of, answering):
                append_record(self.path, episode, fsync=True)
                advance()
        if num_answers:
            self._add_answers(set().union(*ids.values()), done, num_answers, batch_size, progress)

    def _sampled(self, tasks: Sequence[Task], batch_size: int, best_of: int, answering: Answering) -> Iterator[Episode]:
        if best_of == 1:  # all seeds share batches
            yield from rollout(self.policy, self.web, tasks, batch_size=batch_size)
            return
        for seed in dict.fromkeys(task.seed for task in tasks):
            questions = [task.question for task in tasks if task.seed == seed]
            yield from answering(self.policy, self.web, questions, self.settings, seed=seed, batch_size=batch_size)

    def _add_answers(self, ids: set[str], done: set[str], num_answers: int, batch_size: int, progress: ShowProgress) -> None:
        """Add the missing answers over the references of the episodes with these ids."""
        episodes = [episode for episode in self._episodes() if episode.id in ids and has_answering_phase(episode)]
        wanted = [answer_id(episode, number) for episode in episodes for number in range(1, num_answers + 1)]
        existing = done.intersection(wanted)
        with progress(f"{self.policy.name}, further answers", len(wanted), len(existing)) as advance:
            for episode in answer(self.policy, episodes, num_answers, seed=self.seed, skip=existing, batch_size=batch_size):
                append_record(self.path, episode, fsync=True)
                advance()

    def _episodes(self) -> Iterator[Episode]:
        return read_records(self.path, Episode) if self.path.exists() else iter(())


def _read_config(path: Path) -> Mapping[str, Json]:
    try:
        config = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise RecordError(f"{path} is not a JSON configuration; choose another --out") from error
    if not isinstance(config, dict):
        raise RecordError(f"{path} is not a JSON configuration; choose another --out")
    return config
