"""A policy held to a time limit, so that one that hangs, raises or never stops costs the question that it was asked.

Python cannot end a thread. One that is over its time is left behind with what it was given, and its answer, should it ever
come, is not looked at; it neither holds up what follows nor, being a daemon, the end of the process.
"""

import queue
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice

from agent.policy import Completion, Policy, Prompt
from browser_env.errors import PolicyError

SLICE = 0.2
"""Seconds after which an interrupt is noticed at the latest."""

Reply = list[Completion | PolicyError] | BaseException


class Guarded:
    """A `Policy` that asks another one in a thread of its own, one batch at a time."""

    def __init__(self, policy: Policy, max_seconds: float) -> None:
        """Guard a policy.

        Args:
            policy: Asked in one thread, as long as it answers; what it keeps for that thread it keeps.
            max_seconds: For one batch. A batch that takes longer fails; rollouts then ask its prompts one by one, so that only
                the one that hangs is lost.
        """
        self.name = policy.name
        self.num_hanging = 0
        """Threads that were left behind."""
        self._policy = policy
        self._max_seconds = max_seconds
        self._worker: _Worker | None = None

    @property
    def is_busy(self) -> bool:
        """Whether the policy is at work, or was left behind at it: threads that it has made may hold up the process's end."""
        return self.num_hanging > 0 or (self._worker is not None and self._worker.is_busy)

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion | PolicyError]:
        if self._worker is None:
            self._worker = _Worker(self._policy)
        try:
            reply = self._worker.ask(prompts, self._max_seconds)
        except queue.Empty:
            self._worker = None
            self.num_hanging += 1
            raise PolicyError(f"{self.name} did not answer within {self._max_seconds:g} seconds") from None
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, BaseException):
            raise PolicyError(f"{self.name} raised {type(reply).__name__}: {reply}") from reply
        return reply


class _Worker:
    """A thread that asks a policy whatever it is handed."""

    def __init__(self, policy: Policy) -> None:
        self.is_busy = False
        self._policy = policy
        self._batches: queue.SimpleQueue[Sequence[Prompt]] = queue.SimpleQueue()
        self._replies: queue.SimpleQueue[Reply] = queue.SimpleQueue()
        threading.Thread(target=self._work, name=f"policy {policy.name}", daemon=True).start()

    def ask(self, prompts: Sequence[Prompt], max_seconds: float) -> Reply:
        """The reply.

        Raises:
            queue.Empty: There is none in time; the worker is of no use any more.
        """
        deadline = time.monotonic() + max_seconds
        self.is_busy = True
        self._batches.put(prompts)
        while (left := deadline - time.monotonic()) > 0:
            # In slices: an interrupt that comes just before the wait, or on Windows, is not noticed until its end.
            with suppress(queue.Empty):
                reply = self._replies.get(timeout=min(left, SLICE))
                self.is_busy = False
                return reply
        raise queue.Empty

    def _work(self) -> None:
        while True:
            prompts = self._batches.get()
            try:
                # One more than asked for shows that there are too many; all that an endless one has, nobody could hold.
                self._replies.put(list(islice(self._policy.complete(prompts), len(prompts) + 1)))
            except BaseException as error:  # noqa: BLE001 - handed to whoever asked
                self._replies.put(error)
