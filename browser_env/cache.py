"""Values that threads share: a cache bounded by size and age, and calls that run once at a time."""

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from cachetools import TTLCache

K = TypeVar("K")
V = TypeVar("V")


class Cache(Generic[K, V]):
    """Thread-safe LRU cache bounded by total size and by age. The newest value is kept however large it is.

    Args:
        capacity: Maximum total size of the values.
        size: Returns the size of a value, in the unit of the capacity.
        max_age: Seconds for which a value is kept. Default: no limit.
        clock: Returns the time in seconds, from any origin.
    """

    def __init__(
        self,
        capacity: int,
        size: Callable[[V], int],
        *,
        max_age: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # A value that is larger than the capacity is an error in cachetools; here it has the cache to itself.
        self._values: TTLCache[K, V] = TTLCache(capacity, max_age, clock, lambda value: min(size(value), capacity))
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """The value of a key; None if it is not cached or too old."""
        with self._lock:
            return self._values.get(key)

    def keep(self, key: K, value: V) -> V:
        """Store a value and return it, or return the value that another thread stored first."""
        with self._lock:
            return self._values.setdefault(key, value)


class SingleFlight(Generic[K, V]):
    """Runs one call per key at a time; threads that ask for the same key meanwhile share its result.

    `cachetools.cached` with a condition is no replacement: there each waiting thread repeats a call that fails.
    """

    def __init__(self) -> None:
        self._running: dict[K, Future[V]] = {}
        self._lock = threading.Lock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """Call `make` and return or raise what it does, or wait for the call with this key that is running."""
        with self._lock:
            running = self._running.get(key)
            if running is None:
                call: Future[V] = Future()
                self._running[key] = call
        if running is not None:
            return running.result()
        try:
            value = make()
        except BaseException as error:
            call.set_exception(error)
            raise
        else:
            call.set_result(value)
            return value
        finally:
            with self._lock:
                del self._running[key]
