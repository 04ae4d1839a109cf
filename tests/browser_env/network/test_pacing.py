import pytest

from browser_env.errors import Refused
from browser_env.network.pacing import Pace


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds


def test_burst_is_sent_at_once_and_the_rest_at_the_rate() -> None:
    clock = Clock()
    pace = Pace(2, 3, 100, clock, clock.sleep)
    for _ in range(6):
        pace.wait("a")
    assert clock.slept == [0.5, 0.5, 0.5]
    clock.now += 100
    for _ in range(4):
        pace.wait("a")
    assert clock.slept[3:] == [0.5]


def test_hosts_do_not_wait_for_each_other() -> None:
    clock = Clock()
    pace = Pace(1, 1, 100, clock, clock.sleep)
    for host in "abcdefgh":
        pace.wait(host)
    assert clock.slept == []


def test_request_that_would_wait_too_long_is_refused_and_delays_no_other() -> None:
    slept: list[float] = []
    pace = Pace(1, 1, 2, lambda: 0.0, slept.append)
    for _ in range(3):
        pace.wait("a")
    for _ in range(5):
        with pytest.raises(Refused, match="a is asked too often: the limit is 1 requests a second"):
            pace.wait("a")
    assert slept == [1.0, 2.0]


def test_hosts_without_recent_requests_are_forgotten() -> None:
    clock = Clock()
    pace = Pace(1, 1, 10, clock, clock.sleep)
    for number in range(25_000):
        clock.now += 0.001
        pace.wait(str(number))
    assert len(pace._due) <= 10_001
