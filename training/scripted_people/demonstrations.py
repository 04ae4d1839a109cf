"""Running the scripted demonstrator on questions, and keeping the demonstrations in a file that can be resumed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from agent.rollouts.rollout import episode_id, rollout
from browser_env.backends import Backend
from browser_env.pages.matching import MAX_PLAIN_WORDS
from browser_env.records import Episode, Question, Settings
from browser_env.records.storage import append_record, drop_torn_line, read_records
from training.scripted_people.demonstrator import NAME, NOISE, Demonstrator, can_demonstrate, is_demonstration


def demonstrations(
    web: Backend,
    questions: Iterable[Question],
    settings: Settings,
    *,
    noise: float = NOISE,
    seed: int = 0,
    max_quote_words: int = MAX_PLAIN_WORDS,
    batch_size: int = 32,
) -> Iterator[Episode]:
    """Demonstrations of the questions that can be demonstrated; failed demonstrations are left out.

    Args:
        web: The web to browse.
        questions: Those without gold evidence are skipped.
        settings: Format of the observations and budgets.
        noise: Probability of detours; see `Demonstrator`.
        seed: Random seed; different seeds give different demonstrations of the same questions.
        max_quote_words: Longer quotes are abbreviated; see `Demonstrator`.
        batch_size: Number of episodes in progress at once. It changes the order of the episodes, not their content.
    """
    policy = Demonstrator(noise, seed, max_quote_words)
    known = (question for question in questions if can_demonstrate(question))
    for episode in rollout(policy, web, known, settings, seed=seed, batch_size=batch_size, threads=1):
        if is_demonstration(episode):
            yield episode


def add_demonstrations(
    path: Path,
    web: Backend,
    questions: Sequence[Question],
    settings: Settings,
    *,
    noise: float,
    seeds: Iterable[int],
    on_done: Callable[[int], None] = lambda number: None,
) -> int:
    """Add to a file the demonstrations that it does not contain yet.

    Args:
        path: File of episodes; created if it does not exist.
        web: The web to browse.
        questions: The questions to demonstrate.
        settings: Format of the observations and budgets.
        noise: Probability of detours.
        seeds: One demonstration of each question is made for each seed.
        on_done: Called with the number of demonstrations that are done: first those in the file, then each new one.

    Returns:
        The number of demonstrations in the file.
    """
    drop_torn_line(path)
    done = {episode.id for episode in read_records(path, Episode)} if path.exists() else set()
    for seed in seeds:
        missing = [question for question in questions if episode_id(question, NAME, seed) not in done]
        on_done(len(questions) - len(missing))
        for episode in demonstrations(web, missing, settings, noise=noise, seed=seed):
            append_record(path, episode)
            done.add(episode.id)
            on_done(1)
    return len(done)
