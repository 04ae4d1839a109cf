"""Rate limit of the requests to each host."""

import threading
from collections.abc import Callable
from typing import Final

from browser_env.errors import Refused

MAX_HOSTS: Final = 10_000
"""Number of hosts above which those without recent requests are forgotten."""


class Pace:
    """Rate limiter for each host that allows bursts (generic cell rate algorithm). Thread-safe.

    It stores one time per host: the time at which the next request would be due at a steady rate.

    Args:
        per_second: Rate of requests to one host.
        burst: Requests that may be sent at once after a pause.
        max_wait: Longest wait in seconds; a request that would wait longer is refused.
        clock: Returns the time in seconds, from any origin.
        sleep: Waits for a number of seconds.
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
        """Wait until a request to a host may be sent.

        Raises:
            Refused: Too many requests are waiting for the host.
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
