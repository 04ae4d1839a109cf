"""A time limit for policies: a policy that hangs, raises an error or writes without end fails only the question at hand.

Python cannot end a thread. A thread that exceeds its time is abandoned and its answer ignored; as a daemon it does not delay
the end of the process.
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
"""Maximum delay until an interrupt is noticed, in seconds."""

Reply = list[Completion | PolicyError] | BaseException


class TimeLimited:
    """A `Policy` that runs another one in a thread with a time limit, one batch at a time."""

    def __init__(self, policy: Policy, max_seconds: float) -> None:
        """Wrap a policy.

        Args:
            policy: The policy; it runs in the same thread until it exceeds the limit, so it may use thread-local state.
            max_seconds: Time limit of a batch in seconds. After a batch fails, rollouts ask its prompts one by one, so that
                only the one that hangs is lost.
        """
        self.name = policy.name
        self.num_hanging = 0
        """Number of abandoned threads."""
        self._policy = policy
        self._max_seconds = max_seconds
        self._worker: _Worker | None = None

    @property
    def is_busy(self) -> bool:
        """Whether the policy is running or a thread of it was abandoned; its threads may then delay the end of the process."""
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
    """A thread that runs a policy on the batches it is given."""

    def __init__(self, policy: Policy) -> None:
        self.is_busy = False
        self._policy = policy
        self._batches: queue.SimpleQueue[Sequence[Prompt]] = queue.SimpleQueue()
        self._replies: queue.SimpleQueue[Reply] = queue.SimpleQueue()
        threading.Thread(target=self._work, name=f"policy {policy.name}", daemon=True).start()

    def ask(self, prompts: Sequence[Prompt], max_seconds: float) -> Reply:
        """Run the policy on a batch and return its reply.

        Raises:
            queue.Empty: There is no reply in time; this worker cannot be used any more.
        """
        deadline = time.monotonic() + max_seconds
        self.is_busy = True
        self._batches.put(prompts)
        while (left := deadline - time.monotonic()) > 0:
            # Waits in slices, because an interrupt just before a wait, and any on Windows, is noticed only at its end.
            with suppress(queue.Empty):
                reply = self._replies.get(timeout=min(left, SLICE))
                self.is_busy = False
                return reply
        raise queue.Empty

    def _work(self) -> None:
        while True:
            prompts = self._batches.get()
            try:
                # One item too many is enough to detect an endless reply, which would not fit in memory.
                self._replies.put(list(islice(self._policy.complete(prompts), len(prompts) + 1)))
            except BaseException as error:  # noqa: BLE001 - returned to the caller of ask
                self._replies.put(error)
