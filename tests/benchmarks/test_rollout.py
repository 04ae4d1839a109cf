"""Steps per second of whole rollouts, and their memory over many episodes: ``pytest tests/benchmarks --benchmark-enable``."""

import resource
from collections.abc import Iterator
from typing import Any

import pytest

from agent.policies.search_only import SearchOnly
from agent.rollouts.rollout import rollout
from browser_env.backends import FakeBackend
from browser_env.pages.page import Page
from browser_env.records import Question, Settings

PAGES = [
    Page(f"http://a.org/{n}", f"Page {n}", "\n\n".join(f"Crow {n} brings gift {k}." for k in range(100))) for n in range(10)
]


def questions(number: int) -> Iterator[Question]:
    return (Question(id=str(n), text=f"What does crow {n % 10} bring?") for n in range(number))


@pytest.mark.parametrize(("batch_size", "threads"), [(1, 1), (16, 1), (16, 8)], ids=["one", "batch", "batch-with-threads"])
def test_rollout_speed(benchmark: Any, batch_size: int, threads: int) -> None:
    number = 20 if benchmark.disabled else 500

    def run() -> int:
        episodes = rollout(
            SearchOnly(), FakeBackend(PAGES), questions(number), Settings(), batch_size=batch_size, threads=threads
        )
        return sum(len(episode.steps) for episode in episodes)

    steps = benchmark(run)
    assert steps == 4 * number
    if not benchmark.disabled:
        benchmark.extra_info["steps_per_second"] = round(steps / benchmark.stats.stats.mean)


def test_memory_over_many_episodes_is_flat(benchmark: Any) -> None:
    number = 200 if benchmark.disabled else 10_000
    backend = FakeBackend(PAGES)

    def run() -> int:
        warm_up = sum(1 for _ in rollout(SearchOnly(), backend, questions(100), Settings(), threads=1))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert warm_up == 100
        for _ in rollout(SearchOnly(), backend, questions(number), Settings(), threads=1):
            pass
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    growth = benchmark.pedantic(run, rounds=1)
    benchmark.extra_info["growth_kilobytes"] = growth
    assert growth < 20_000
