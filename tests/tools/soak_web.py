"""Soak test of the live web: many sessions for minutes, with checks of answers, errors, memory, threads and files.

Another process serves the fictional country of `tests.tools.towns`. This one runs sessions of the scripted policy, each in a
thread, on one shared live web whose pages are cached for ten seconds only, so that most of them are fetched many times.

    python -m tests.tools.soak_web                       # 64 sessions for five minutes, as the figures in docs/log.md
    python -m tests.tools.soak_web --seconds 20 --sessions 8
    python -m tests.tools.soak_web --browser             # with Chromium, which draws a tenth of the pages

Exit code 1 if there were errors other than those of the site or wrong answers, or if memory, threads or files grew.
"""

import argparse
import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agent.policies.scripted import Scripted
from agent.rollouts.rollout import rollout
from browser_env.backends import Backend, SearchHit
from browser_env.errors import FetchError
from browser_env.live_web.backend import MAX_AGE, LiveWeb
from browser_env.live_web.chromium import Chromium
from browser_env.live_web.drawing import DrawingFetcher
from browser_env.live_web.loading import Fetcher
from browser_env.live_web.search.engine import SearchEngine
from browser_env.live_web.search.providers import make_provider
from browser_env.network.client import Network
from browser_env.network.robots import Robots
from browser_env.network.settings import NetworkSettings
from browser_env.pages.page import Page
from browser_env.records import Question, Settings
from tests.tools.towns import Country, Town

CACHE_SECONDS = 10
"""Seconds for which pages and results are cached."""
MAX_GROWTH = 1.15
"""Maximum ratio of the memory in the last third of the time to that in the first."""
SITE_ERRORS = re.compile("JavaScript")
"""Expected errors: pages that need a browser."""


@dataclass
class Counted:
    """A backend that counts its requests and errors."""

    backend: Backend
    num: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.backend.name

    def search(self, query: str) -> tuple[SearchHit, ...]:
        self.num["searches"] += 1
        try:
            return self.backend.search(query)
        except FetchError as error:
            self.errors[str(error)] += 1
            raise

    def fetch(self, url: str) -> Page:
        self.num["pages"] += 1
        began = time.monotonic()
        try:
            return self.backend.fetch(url)
        except FetchError as error:
            self.errors[str(error)] += 1
            raise
        finally:
            self.seconds.append(time.monotonic() - began)


@dataclass(frozen=True)
class Sample:
    """Memory, threads and open files of this process at one time."""

    megabytes: float
    num_threads: int
    num_files: int

    @classmethod
    def now(cls) -> "Sample":
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return cls(pages * 4096 / 1e6, threading.active_count(), len(list(Path("/proc/self/fd").iterdir())))


def session(number: int, web: Backend, towns: list[Town], end: float, results: Counter[str]) -> None:
    """Run episodes one after another until the end."""
    chance = random.Random(number)
    asked: dict[str, Town] = {}

    def questions() -> Iterator[Question]:
        while time.monotonic() < end:
            town = chance.choice(towns)
            asked[town.name] = town
            yield Question(id=town.name, text=town.question)

    for episode in rollout(Scripted(), web, questions(), Settings(), batch_size=1, threads=1):
        results["episodes"] += 1
        results["steps"] += len(episode.steps)
        if episode.failure is not None:
            results[f"failed: {episode.failure}"] += 1
        elif asked[episode.question.id].founder not in (episode.answer or ""):
            results["wrong"] += 1


def main() -> int:
    """Start the server and run the test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--browser", action="store_true")
    arguments = parser.parse_args()
    with subprocess.Popen([sys.executable, "-m", "tests.tools.towns"], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            return soak(server.stdout.readline().strip(), arguments.sessions, arguments.seconds, arguments.browser)
        finally:
            server.terminate()


def soak(url: str, num_sessions: int, seconds: float, with_browser: bool) -> int:
    """Run the sessions, print the figures and return the exit code."""
    port = int(url.rpartition(":")[2])
    settings = NetworkSettings(ports=frozenset({port}), allow_loopback=True, requests_per_second=1e6, burst=1_000_000)
    network = Network(settings)
    engine = SearchEngine(make_provider("searxng", base_url=url, environ={}), network)
    chromium = Chromium(network) if with_browser else None
    load = Fetcher(network) if chromium is None else DrawingFetcher(network, chromium)
    live = LiveWeb(engine, load, robots=Robots(network), clock=lambda: time.monotonic() * MAX_AGE / CACHE_SECONDS)
    web = Counted(live)
    towns = [town for town in Country().towns if with_browser or not town.is_drawn]
    results: Counter[str] = Counter()
    began = time.monotonic()
    end = began + seconds
    threads = [
        threading.Thread(target=session, args=(number, web, towns, end, results), daemon=True) for number in range(num_sessions)
    ]
    for thread in threads:
        thread.start()
    samples: list[Sample] = []
    while time.monotonic() < end:
        time.sleep(max(0.1, seconds / 30))
        samples.append(Sample.now())
        print(f"{time.monotonic() - began:4.0f} s  {results['episodes']:6} episodes  {samples[-1]}", flush=True)
    for thread in threads:
        thread.join(60)
    took = time.monotonic() - began
    stuck = sum(thread.is_alive() for thread in threads)
    ours = {message: count for message, count in web.errors.items() if not SITE_ERRORS.search(message)}
    waits = sorted(web.seconds)
    third = max(1, len(samples) // 3)
    growth = max(s.megabytes for s in samples[-third:]) / max(s.megabytes for s in samples[:third])
    files = max(s.num_files for s in samples[-third:]) - max(s.num_files for s in samples[:third])
    num_contexts = 0
    if chromium is not None:
        num_contexts = chromium.num_contexts
        print(f"contexts of Chromium after the end: {num_contexts}")
        chromium.close()
    after = Sample.now()
    print(f"{num_sessions} sessions, {took:.0f} s: {results['episodes']} episodes, {results['steps']} steps")
    print(f"{web.num['searches']} searches and {web.num['pages']} pages asked for; {results['wrong']} answers wrong")
    print(f"a page: median {waits[len(waits) // 2] * 1e3:.1f} ms, p95 {waits[int(len(waits) * 0.95)] * 1e3:.0f} ms")
    print(f"errors of the site: {web.errors.total() - sum(ours.values())}; others: {ours or 'none'}")
    print(
        f"memory: {samples[0].megabytes:.0f} to {samples[-1].megabytes:.0f} MB, last third to first {growth:.2f}; after: {after}"
    )
    failed = {outcome: count for outcome, count in results.items() if outcome.startswith("failed")}
    return int(bool(ours or failed or stuck or num_contexts or results["wrong"] or growth > MAX_GROWTH or files > num_sessions))


if __name__ == "__main__":
    sys.exit(main())
