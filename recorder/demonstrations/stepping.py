"""Steps of the environment from any state of a demonstration, with recorded replies in place of the web.

The moves of a demonstration change when a reference is removed or changed, when scrolls are joined, and when a step is undone.
The states after a change are computed by giving the commands again; the web is not asked again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from browser_env.actions import MAX_SCROLLS, Action, Quote, ScrollDown, ScrollUp, format_action
from browser_env.backends import Backend
from browser_env.env import BrowserEnv, Info
from browser_env.records import Settings
from browser_env.state import BrowserState, TokenCounter
from recorder.demonstrations.events import Act
from recorder.demonstrations.replies import RecordedWeb, RecordingBackend, Reply, ReplyStore
from recorder.demonstrations.state import Demonstration, Move


@dataclass(frozen=True, slots=True)
class Loaded:
    """A command with the replies of the web and the resulting state, to pass to `Session.do`."""

    act: Act
    before: BrowserState
    """State in which the command was given. The result is valid only in this state."""
    after: BrowserState
    """State after the command."""
    info: Info


class _Env(BrowserEnv):
    """The environment, with steps from any state."""

    def step_from(self, state: BrowserState, action: Action) -> tuple[BrowserState, Info]:
        self.reset(state.question)
        self._state = state
        info = self.step(format_action(action)).info
        return self.state, info


class Stepper:
    """Computes browser states from moves. The most recent result is cached."""

    def __init__(self, store: ReplyStore, count_tokens: TokenCounter) -> None:
        self._store = store
        self._count_tokens = count_tokens
        self._latest: Loaded | None = None

    def ask(self, backend: Backend, state: BrowserState, action: Action) -> Loaded:
        """Take a step on the web and store its replies. Changes nothing else, and can run in any thread.

        Raises:
            RecordError: A reply cannot be stored.
        """
        web = RecordingBackend(backend, self._store)
        after, info = self._env(web, state.settings).step_from(state, action)
        return Loaded(Act(command=format_action(action), replies=tuple(web.replies)), state, after, info)

    def remember(self, loaded: Loaded) -> None:
        """Cache the result of a step."""
        self._latest = loaded

    def step(self, state: BrowserState, action: Action, replies: Sequence[Reply]) -> tuple[BrowserState, Info]:
        """Take a step with recorded replies.

        Raises:
            RecordError: A recorded page is missing or was changed.
        """
        act = Act(command=format_action(action), replies=tuple(replies))
        if self._latest is None or self._latest.before is not state or self._latest.act != act:
            env = self._env(RecordedWeb("", replies, self._store), state.settings)
            self._latest = Loaded(act, state, *env.step_from(state, action))
        return self._latest.after, self._latest.info

    def extended(self, state: Demonstration, move: Move) -> Demonstration | None:
        """Add a move, or return None if it is not possible.

        A scroll joins a previous scroll in the same direction, up to three views (Appendix C.1). A quote without new text is
        left out.
        """
        match move.action, state.moves[-1].action if state.moves else None:
            case (ScrollDown(more), ScrollDown(times)) | (ScrollUp(more), ScrollUp(times)) if times < MAX_SCROLLS:
                scroll = ScrollDown if isinstance(move.action, ScrollDown) else ScrollUp
                first, rest = min(MAX_SCROLLS, times + more), times + more - MAX_SCROLLS
                state = replace(state, moves=state.moves[:-1], states=state.states[:-1])
                parts = [replace(move, action=scroll(first)), *([replace(move, action=scroll(rest))] if rest > 0 else [])]
            case _:
                parts = [move]
        for part in parts:
            if state.browser.phase != "browsing":
                return None
            after, info = self.step(state.browser, part.action, part.replies)
            if info.problem is not None:
                return None
            if not isinstance(part.action, Quote) or after.references != state.browser.references:
                state = replace(state, moves=(*state.moves, part), states=(*state.states, after))
        return state

    def with_moves(self, state: Demonstration, moves: Sequence[Move]) -> Demonstration | None:
        """Replace the moves, or return None if they are not possible or end browsing."""
        num_same = 0
        while num_same < len(moves) and moves[num_same] is state.moves[num_same]:
            num_same += 1
        changed: Demonstration | None = replace(state, moves=state.moves[:num_same], states=state.states[: num_same + 1])
        for move in moves[num_same:]:
            changed = self.extended(changed, move) if changed is not None else None
        return changed if changed is not None and changed.browser.phase == "browsing" else None

    def _env(self, backend: Backend, settings: Settings) -> _Env:
        return _Env(backend, settings, count_tokens=self._count_tokens)
