"""What was used last is kept, up to a total size."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Cache(Generic[K, V]):
    """For many threads. One value is always kept, however large.

    Args:
        capacity: Total size that is kept.
        size: Of a key and its value, in the unit of the capacity; the same every time.
    """

    def __init__(self, capacity: int, size: Callable[[K, V], int]) -> None:
        self._capacity = capacity
        self._size = size
        self._used = 0
        self._values: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """What is kept under a key."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def keep(self, key: K, value: V) -> V:
        """Keep a value and return it; or return the one that another thread has kept in the meantime."""
        with self._lock:
            if key in self._values:
                return self._values[key]
            self._values[key] = value
            self._used += self._size(key, value)
            while self._used > self._capacity and len(self._values) > 1:
                self._used -= self._size(*self._values.popitem(last=False))
            return value


class SingleFlight(Generic[K, V]):
    """What several threads want at the same time is made once, by the first of them."""

    def __init__(self) -> None:
        self._flying: dict[K, Future[V]] = {}
        self._lock = threading.Lock()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """What `make` returns or raises, or what it returned or raised to another thread that asked a moment ago."""
        with self._lock:
            flight = self._flying.get(key)
            if flight is None:
                mine: Future[V] = Future()
                self._flying[key] = mine
        if flight is not None:
            return flight.result()
        try:
            value = make()
        except BaseException as error:
            mine.set_exception(error)
            raise
        else:
            mine.set_result(value)
            return value
        finally:
            with self._lock:
                del self._flying[key]
