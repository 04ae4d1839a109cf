import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from browser_env.cache import Cache, SingleFlight


def test_least_recently_used_values_are_evicted() -> None:
    cache: Cache[str, str] = Cache(10, len)
    cache.keep("a", "1234")
    cache.keep("b", "1234")
    assert cache.get("a") == "1234"
    cache.keep("c", "1234")
    assert [cache.get(key) for key in "abc"] == ["1234", None, "1234"]
    cache.keep("d", "x" * 100)
    assert [cache.get(key) for key in "acd"] == [None, None, "x" * 100]


def test_first_value_of_a_key_is_kept() -> None:
    cache: Cache[str, str] = Cache(10, lambda value: 1)
    first, second = "".join(["a", "b"]), "".join(["a", "b"])
    assert cache.keep("k", first) is first
    assert cache.keep("k", second) is first


def test_value_expires_after_its_maximum_age() -> None:
    now = [0.0]
    cache: Cache[str, str] = Cache(10, len, max_age=5, clock=lambda: now[0])
    cache.keep("a", "1234")
    now[0] = 4.9
    assert cache.get("a") == "1234"
    now[0] = 5
    assert cache.get("a") is None
    assert cache.keep("a", "5678") == "5678"


def test_values_that_fit_the_capacity_are_kept() -> None:
    cache: Cache[int, str] = Cache(10, len)
    for number in range(3):
        cache.keep(number, "12345")
    assert [cache.get(number) for number in range(3)] == [None, "12345", "12345"]


def test_concurrent_calls_with_one_key_run_once() -> None:
    calls: SingleFlight[str, int] = SingleFlight()
    made: list[int] = []
    ready = threading.Barrier(8)

    def make() -> int:
        time.sleep(0.1)
        made.append(1)
        return len(made)

    def ask(_: int) -> int:
        ready.wait()
        return calls.get("x", make)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {1}
    assert calls.get("x", make) == 2


def test_waiting_threads_share_a_failure_and_the_next_call_runs_again() -> None:
    calls: SingleFlight[str, int] = SingleFlight()
    begun, go = threading.Event(), threading.Event()

    def fail() -> int:
        begun.set()
        go.wait(5)
        raise ValueError("no")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(calls.get, "x", fail)
        begun.wait(5)
        second = pool.submit(calls.get, "x", lambda: 3)
        time.sleep(0.05)
        go.set()
        for call in (first, second):
            with pytest.raises(ValueError, match="no"):
                call.result(5)
    assert calls.get("x", lambda: 4) == 4
