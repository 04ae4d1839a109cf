"""One demonstration in progress: a person answers a question with the ten commands, and everything can be taken back.

A screen is thin over this. It shows `Session.view`, turns keys into events, and gives them to `Session.do`:

- `Act`: one of the ten commands, as a model would write it. A search or a click may wait for the web; a screen calls
  `Session.load` in a thread, which changes nothing and can be forgotten, and gives what comes back to `do`. Scrolls are by
  one view.
- `Select`: quote a stretch of the page in view. It becomes the ``Quote:`` command that a model would have given.
- `RemoveReference`, `EditReference`: while browsing.
- `Reopen`: from the answer back to browsing; the answer so far stays.
- `Write`: a change of the answer's text (`text_edits.edit_between`).
- `Submit`, `Undo`, `Redo`.

What stands is a list of commands and an answer, and the browser's state is always what those commands lead to
(`browser_env.env`), so a person sees exactly what a model would see after them: consecutive scrolls are one command of up to
three (Appendix C.1), a reference that was removed was never quoted, one that was changed was quoted like that. What moves
nothing or cannot be done is answered, costs nothing and is no step. So an exported episode replays to byte-equal
observations.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, assert_never

from browser_env.actions import (
    MAX_SCROLLS,
    Action,
    Click,
    End,
    EndReason,
    Invalid,
    Quote,
    ScrollDown,
    ScrollUp,
    Search,
    Top,
    format_action,
    parse_action,
)
from browser_env.backends import Backend
from browser_env.env import BrowserEnv, Info, check_question
from browser_env.errors import UsageError
from browser_env.observation import scrollbar, view_lines
from browser_env.pages.characters import clean
from browser_env.pages.page import Page
from browser_env.records import Episode, Settings
from browser_env.state import BrowserState, TokenCounter, count_words, shown
from recorder.demonstrations.events import (
    JOURNAL,
    PAGES,
    SCHEMA,
    Act,
    Begin,
    Demonstration,
    EditReference,
    Event,
    Move,
    RemoveReference,
    Reopen,
    Select,
    View,
    Write,
    has_begun,
)
from recorder.demonstrations.export import episode_of
from recorder.demonstrations.quotation import quotation
from recorder.demonstrations.replies import Listening, RecordedWeb, Reply, Visits
from recorder.journal.journal import Journal, read_journal
from recorder.journal.recording import Change, Recording, Redo, Refusal, Response, Submit, Undo
from recorder.journal.text_edits import Edit, edited

MAX_ANSWER: Final = 10_000
"""Longest answer, in characters: four times the longest of the paper's comparisons."""

# --------------------------------------------------------------------------------------------------------------- events


# ---------------------------------------------------------------------------------------------------------------- state


@dataclass(frozen=True, slots=True)
class Loaded:
    """A command with what the web said to it, for `Session.do`."""

    act: Act
    before: BrowserState
    """The state it was asked in; in another one it is out of date."""
    after: BrowserState
    """The state that it leads to."""
    info: Info


class _Env(BrowserEnv):
    """The environment, set to a state that it was in."""

    def step_from(self, state: BrowserState, action: Action) -> tuple[BrowserState, Info]:
        self.reset(state.question)
        self._state = state
        info = self.step(format_action(action)).info
        return self.state, info


# -------------------------------------------------------------------------------------------------------------- session


class Session(Recording[Event, Demonstration]):
    """A demonstration in progress; see the module."""

    def __init__(
        self,
        folder: Path,
        backend: Backend,
        begin: Begin | None = None,
        *,
        count_tokens: TokenCounter = count_words,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Go on with the recording in a folder, exactly where it was, or begin one there.

        Args:
            folder: Of this recording alone: its journal and the pages that were seen.
            backend: The web, for what is asked from now on.
            begin: What is asked, for a recording that has not begun. One that has goes on as it began.
            count_tokens: Counts the tokens of references.
            clock: Seconds that only grow.

        Raises:
            RecordError: The journal or a page cannot be read or written.
            UsageError: There is nothing to go on with, or it is a recording of another question.
        """
        self.folder = folder
        self._backend = backend
        self._count_tokens = count_tokens
        self._visits = Visits(folder / PAGES)
        self._loaded: Loaded | None = None
        if begin is None and not has_begun(folder):
            raise UsageError(f"{folder}: no recording has begun there")
        if begin is not None:
            check_question(begin.question.text)
        journal = Journal(folder / JOURNAL, SCHEMA)
        try:
            super().__init__(journal, begin, clock)
            if begin is not None and self.state.begin.question.id != begin.question.id:
                raise UsageError(f"{folder}: holds a recording of another question: {self.state.begin.question.id!r}")
        except BaseException:
            journal.close()
            raise

    def view(self) -> View:
        """What to show now."""
        state, browser = self.state, self.state.browser
        return View(
            question=clean(browser.question.text).strip(),
            phase="submitted" if state.submitted is not None else browser.phase,
            ending=browser.ending,
            page=browser.page,
            top=browser.visit.top,
            lines=view_lines(browser),
            num_lines=len(browser.layout.lines),
            scrollbar=scrollbar(browser),
            references=browser.references,
            actions_left=browser.actions_left,
            reference_tokens_left=browser.reference_tokens_left,
            answer=state.answer,
            can_go_back=len(browser.visits) > 1,
            undoes=self.undoes,
            redoes=self.redoes,
            problem=_unfinished(state),
            elapsed=self.elapsed,
        )

    def load(self, command: str) -> Loaded | Response:
        """Ask the web what a command needs, and keep what it says; a response is the reason why it cannot be done.

        It may take as long as the web does. It can run in any thread; nothing changes until `do` gets the result.

        Raises:
            RecordError: What the web said cannot be kept.
        """
        before = self.state.browser
        if before.phase != "browsing":
            return Response(problem="browsing has ended; go back to it first")
        action = parse_action(command)
        if isinstance(action, Invalid):
            return Response(problem=action.reason)
        web = Listening(self._backend, self._visits)
        after, info = self._env(web, before.settings).step_from(before, action)
        if info.problem is not None:
            return Response(problem=info.problem)
        _ = after.page.normal  # what find and quote compare: 0.2 s for a page of 10,000 lines, which nobody waits for here
        return Loaded(Act(command=format_action(action), replies=tuple(web.replies)), before, after, info)

    def do(self, event: Event | Select | Loaded) -> Response:
        """Carry out an event, or say why not. When this returns, the disk has it.

        An `Act` that needs the web asks it at once and waits.
        """
        if self.is_submitted:
            return super().do(Submit())
        if isinstance(event, Act) and event.replies is None and isinstance(parse_action(event.command), (Search, Click)):
            loaded = self.load(event.command)
            if isinstance(loaded, Response):
                return loaded
            event = loaded
        if isinstance(event, Loaded):
            if event.before is not self.state.browser:
                return Response(problem="the page has changed in the meantime; do it again")
            self._loaded, event = event, event.act
        note = None
        if isinstance(event, Select):
            if self.state.browser.phase != "browsing":
                return Response(problem="browsing has ended; go back to it first")
            quote = quotation(self.state.browser, (event.start, event.end))
            if isinstance(quote, str):
                return Response(problem=quote)
            event = Act(command=quote.command)
            note = "the same words stand further up on this page: they were quoted there" if quote.is_elsewhere else None
        response = super().do(event)
        return replace(response, note=response.note or note) if response.is_done else response

    def page_of(self, number: int) -> Page:
        """The page that a reference, counted from 1, was quoted from."""
        index = self._quotes_of(self.state, number)[0]
        return self.state.states[index].page

    def episode(self) -> Episode:
        """What stands, as a record; of an unfinished session its failure says so."""
        return episode_of(self.state)

    def web(self) -> RecordedWeb:
        """The web as this recording saw it, on which its episode replays."""
        replies = (reply for move in self.state.moves for reply in move.replies)
        return RecordedWeb(self.state.begin.backend, replies, self._visits)

    # ---------------------------------------------------------------------------------------------------------- events

    def _first(self, begin: Event) -> Demonstration:
        assert isinstance(begin, Begin)
        return Demonstration(begin, (BrowserState(begin.question, begin.settings, self._count_tokens),))

    def _apply(self, state: Demonstration, event: Event, elapsed: float) -> Change[Demonstration] | Refusal:
        phase = state.browser.phase
        match event:
            case Act(command=command, replies=replies):
                return self._act(state, command, replies or (), elapsed)
            case RemoveReference(number=number):
                return self._without_reference(state, number)
            case EditReference(number=number, start=start, end=end):
                return self._with_reference(state, number, start, end)
            case Reopen():
                if phase == "browsing" or not state.moves or not isinstance(state.moves[-1].action, End):
                    return Refusal("only what an End command ended can be gone back to; undo the last step instead")
                return Change(replace(state, moves=state.moves[:-1], states=state.states[:-1]), "Back to browsing")
            case Write(edit=edit):
                if phase != "answering":
                    return Refusal("the answer is written after browsing")
                text = edited(state.answer, edit)
                if text is None or len(text) > MAX_ANSWER:
                    return Refusal(
                        "the answer has no such place" if text is None else f"an answer has {MAX_ANSWER:,} characters"
                    )
                return Change(replace(state, answer=text), "Writing")
            case Submit():
                if problem := _unfinished(state):
                    return Refusal(problem)
                return Change(replace(state, submitted=elapsed), "Submit")
            case Begin() | Undo() | Redo():
                return Refusal("a recording begins once")
            case _:
                assert_never(event)

    def _is_final(self, state: Demonstration) -> bool:
        return state.submitted is not None

    def _edit(self, event: Event) -> Edit | None:
        return event.edit if isinstance(event, Write) else None

    def _act(
        self, state: Demonstration, command: str, replies: Sequence[Reply], elapsed: float
    ) -> Change[Demonstration] | Refusal:
        if state.browser.phase != "browsing":
            return Refusal("browsing has ended; go back to it first")
        action = parse_action(command)
        if isinstance(action, Invalid):
            return Refusal(action.reason)
        before, (after, info) = state.browser, self._step(state.browser, action, replies)
        if info.problem is not None:
            return Refusal(info.problem)
        match action:
            case ScrollDown() | ScrollUp() | Top() if after.visit == before.visit:
                return Refusal(info.note or "this is the top of the page")
            case Quote() if after.references == before.references:
                if after.ending == "max_references":
                    return Refusal("there are not enough tokens left for it; quote less, or remove or shorten a reference")
                return Refusal("a reference has these words already")
            case End(EndReason.ANSWER) if not before.references:
                return Refusal("quote something first: an answer is written from the quotes")
            case _:
                pass
        done = self._extended(state, Move(action, tuple(replies), elapsed))
        assert done is not None  # it was just tried
        note = _ending_note(done.browser) or info.note
        return Change(done, _label(action), note)

    # ------------------------------------------------------------------------------------------------------ references

    def _without_reference(self, state: Demonstration, number: int) -> Change[Demonstration] | Refusal:
        if problem := _no_such_reference(state, number):
            return Refusal(problem)
        quotes = self._quotes_of(state, number)
        changed = self._redone(state, [move for index, move in enumerate(state.moves) if index not in quotes])
        if changed is None:
            return Refusal("without it the commands that follow cannot be done; undo instead")
        return self._renumbered(changed, f"Remove [{number}]", is_same_numbers=number == len(state.browser.references))

    def _with_reference(self, state: Demonstration, number: int, start: int, end: int) -> Change[Demonstration] | Refusal:
        if problem := _no_such_reference(state, number):
            return Refusal(problem)
        first, *others = self._quotes_of(state, number)
        before, old = state.states[first], state.browser.references[number - 1]
        if not 0 <= start < end <= len(before.page.text):
            return Refusal("nothing is selected")
        quote = quotation(before, (start, end))
        if isinstance(quote, str):
            return Refusal(quote)
        action = parse_action(quote.command)
        assert isinstance(action, Quote)
        if quote.span == (old.start, old.end):
            return Refusal("the reference is like that already")
        moves = [
            replace(move, action=action) if index == first else move
            for index, move in enumerate(state.moves)
            if index not in others
        ]
        changed = self._redone(state, moves)
        if changed is None or len(changed.browser.references) < number:
            return Refusal("there are not enough tokens left for it")
        new = changed.browser.references[number - 1]
        if (new.start, new.end) == (old.start, old.end):
            return Refusal("a neighbouring quote holds these words; remove that one first")
        is_same = len(changed.browser.references) == len(state.browser.references)
        return self._renumbered(changed, f"Change [{number}]", is_same_numbers=is_same)

    def _renumbered(self, changed: Demonstration, label: str, *, is_same_numbers: bool) -> Change[Demonstration]:
        has_citations = changed.answer and not is_same_numbers
        note = "references have other numbers now; check the citations of your answer" if has_citations else None
        return Change(changed, label, note)

    def _quotes_of(self, state: Demonstration, number: int) -> list[int]:
        """Which moves made a reference, counted from 1."""
        made: list[list[int]] = []
        for index, (before, after) in enumerate(zip(state.states, state.states[1:], strict=False)):
            if len(after.references) > len(before.references):
                made.append([index])
            else:
                for quotes, old, new in zip(made, before.references, after.references, strict=True):
                    if old != new:
                        quotes.append(index)
        return made[number - 1]

    # ----------------------------------------------------------------------------------------------------- environment

    def _env(self, backend: Backend, settings: Settings) -> _Env:
        return _Env(backend, settings, count_tokens=self._count_tokens)

    def _step(self, state: BrowserState, action: Action, replies: Sequence[Reply]) -> tuple[BrowserState, Info]:
        """What an action leads to, given what the web said. The last one is not worked out again."""
        asked = Act(command=format_action(action), replies=tuple(replies))
        if self._loaded is None or self._loaded.before is not state or self._loaded.act != asked:
            env = self._env(RecordedWeb("", replies, self._visits), state.settings)
            self._loaded = Loaded(asked, state, *env.step_from(state, action))
        return self._loaded.after, self._loaded.info

    def _extended(self, state: Demonstration, move: Move) -> Demonstration | None:
        """With one more move; None if it cannot be done. Scrolls the same way join, and a quote of nothing new is left out."""
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
            after, info = self._step(state.browser, part.action, part.replies)
            if info.problem is not None:
                return None
            if not isinstance(part.action, Quote) or after.references != state.browser.references:
                state = replace(state, moves=(*state.moves, part), states=(*state.states, after))
        return state

    def _redone(self, state: Demonstration, moves: Sequence[Move]) -> Demonstration | None:
        """With other moves, browsing still; None if they cannot be done. What the web said to each, it says again."""
        same = 0
        while same < len(moves) and moves[same] is state.moves[same]:
            same += 1
        done: Demonstration | None = replace(state, moves=state.moves[:same], states=state.states[: same + 1])
        for move in moves[same:]:
            done = self._extended(done, move) if done is not None else None
        return done if done is not None and done.browser.phase == "browsing" else None


# --------------------------------------------------------------------------------------------------------------- export


def finished(folder: Path, *, count_tokens: TokenCounter = count_words) -> Iterator[Session]:
    """The submitted demonstrations in a folder and the folders in it, in order of their names; nothing is written.

    Raises:
        RecordError: A journal cannot be read, or was changed after it was sealed.
    """
    for path in sorted(folder.rglob(JOURNAL)):
        if read_journal(path, SCHEMA).digest is not None:
            with Session(path.parent, RecordedWeb("", (), Visits(path.parent / PAGES)), count_tokens=count_tokens) as session:
                yield session


# ---------------------------------------------------------------------------------------------------------------- words


def _no_such_reference(state: Demonstration, number: int) -> str | None:
    if state.browser.phase != "browsing":
        return "references can be changed while browsing; go back to it first"
    if not 1 <= number <= len(state.browser.references):
        return f"there is no reference [{number}]"
    return None


def _unfinished(state: Demonstration) -> str | None:
    if state.submitted is not None:
        return "it is submitted"
    match state.browser.phase:
        case "browsing":
            return "browsing goes on; end it first"
        case "answering":
            return None if state.answer.strip() else "write the answer first"
        case "ended":
            return None


def _ending_note(browser: BrowserState) -> str | None:
    match browser.ending:
        case "max_actions":
            return "that was the last action; write the answer" if browser.references else "that was the last action"
        case "max_references":
            return "the tokens for references are used up; write the answer"
        case _:
            return None


def _label(action: Action) -> str:
    match action:
        case Search(query):
            return f"Search {shown(query)}"
        case Quote():
            return "Quote"
        case Click():
            return "Click"
        case _:
            return format_action(action)
