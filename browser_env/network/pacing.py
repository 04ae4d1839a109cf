"""What keeps many sessions from being a burden: hosts are asked at a pace they can bear, and nothing twice at once."""

import threading
from collections.abc import Callable
from typing import Final, TypeVar

from browser_env.errors import Refused

K = TypeVar("K")
V = TypeVar("V")

MAX_HOSTS: Final = 10_000
"""Hosts that are remembered before those that may be asked freely again are forgotten."""


class Pace:
    """Lets so many requests a second through to each host, after a first burst; for many threads.

    The time at which the last request of a host was due, at a steady rate, is all that is remembered of it.

    Args:
        per_second: Requests to one host.
        burst: Requests that may go at once after a pause.
        max_wait: Seconds; whoever would wait for longer is refused.
        clock: Seconds from anywhere.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self, per_second: float, burst: int, max_wait: float, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._interval = 1 / per_second
        self._slack = (burst - 1) * self._interval
        self._max_wait = max_wait
        self._clock = clock
        self._sleep = sleep
        self._due: dict[str, float] = {}
        self._lock = threading.Lock()

    def wait(self, host: str) -> None:
        """Return when the host may be asked.

        Raises:
            Refused: Too many others are waiting for it.
        """
        with self._lock:
            now = self._clock()
            due = max(self._due.get(host, now), now)
            seconds = due - self._slack - now
            if seconds > self._max_wait:
                raise Refused(
                    f"{host} is asked too often: the limit is {1 / self._interval:g} requests a second; try again later"
                )
            self._due[host] = due + self._interval
            if len(self._due) > MAX_HOSTS:
                self._due = {name: time for name, time in self._due.items() if time > now}
        if seconds > 0:
            self._sleep(seconds)
