"""A demonstration in progress: a person answers a question with the ten commands, and every step can be undone.

Screens show `Session.view`, translate keys into events, and pass them to `Session.do`:

- `Act`: one of the ten commands, as a model would write it; scrolls by one view. A search or a click may have to wait for the
  web: a screen calls `Session.load` in a thread, which changes nothing and can be abandoned, and passes the result to `do`.
- `Select`: quote a span of the page in view. It becomes the ``Quote:`` command that a model would have written.
- `RemoveReference`, `EditReference`: remove or change a reference while browsing.
- `Reopen`: return from the answer to browsing; the answer is kept.
- `Write`: an edit of the answer (`text_edits.edit_between`).
- `Submit`, `Undo`, `Redo`.

A demonstration is a list of commands and an answer. The browser's state is always the one that these commands lead to
(`browser_env.env`), so a person sees exactly what a model would see: consecutive scrolls are one command of up to three views
(Appendix C.1), a removed reference was never quoted, and a changed one was quoted in its new form. A command that has no effect
or is not possible is refused with the reason; it costs nothing and is not recorded. An exported episode therefore replays to
byte-equal observations.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, assert_never

from browser_env.actions import (
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
from browser_env.env import Info, check_question
from browser_env.observation import scrollbar, view_lines
from browser_env.pages.characters import clean
from browser_env.pages.page import Page
from browser_env.records import Episode
from browser_env.state import BrowserState, TokenCounter, count_words, shorten
from recorder.demonstrations.events import (
    JOURNAL,
    PAGES,
    SCHEMA,
    Act,
    Begin,
    EditReference,
    Event,
    RemoveReference,
    Reopen,
    Select,
    Write,
)
from recorder.demonstrations.export import episode_of
from recorder.demonstrations.quotation import quotation
from recorder.demonstrations.references import change_reference, quotes_of, remove_reference
from recorder.demonstrations.replies import RecordedWeb, Reply, ReplyStore
from recorder.demonstrations.state import Demonstration, Move, View, problem_with_submission
from recorder.demonstrations.stepping import Loaded, Stepper
from recorder.journal.journal import sealed_journals
from recorder.journal.recording import Change, Recording, Redo, Refusal, Response, Submit, Undo
from recorder.journal.text_edits import Edit, apply_edit

MAX_ANSWER: Final = 10_000
"""Maximum length of an answer, in characters: four times the longest answer of the paper's comparisons."""

NOT_BROWSING: Final = "browsing has ended; go back to it first"


class Session(Recording[Event, Demonstration]):
    """A demonstration in progress. See the module's docstring."""

    def __init__(
        self,
        folder: Path,
        backend: Backend,
        begin: Begin | None = None,
        *,
        count_tokens: TokenCounter = count_words,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Continue the recording in a folder, or begin a new one there.

        Args:
            folder: Folder of this recording alone, for its journal and the pages that were shown.
            backend: The web for new searches and clicks.
            begin: The first event of a new recording. An existing recording must be of the same question, and keeps the
                settings with which it began. None to continue an existing recording.
            count_tokens: Counts the tokens of references.
            clock: A monotonic clock, in seconds.

        Raises:
            RecordError: The journal or a page cannot be read or written.
            UsageError: There is nothing to continue, or the recording is of another question.
        """
        self._backend = backend
        self._count_tokens = count_tokens
        self._store = ReplyStore(folder / PAGES)
        self._stepper = Stepper(self._store, count_tokens)
        if begin is not None:
            check_question(begin.question.text)
        super().__init__(folder / JOURNAL, SCHEMA, begin, clock=clock)

    def view(self) -> View:
        """Return everything that a screen shows."""
        state, browser = self.state, self.state.browser
        return View(
            question=clean(browser.question.text).strip(),
            phase="submitted" if state.submitted is not None else browser.phase,
            ending=browser.ending,
            page=browser.page,
            top=browser.visit.top,
            lines=view_lines(browser),
            scrollbar=scrollbar(browser),
            references=browser.references,
            actions_left=browser.actions_left,
            reference_tokens_left=browser.reference_tokens_left,
            answer=state.answer,
            can_go_back=len(browser.visits) > 1,
            undoes=self.undoes,
            redoes=self.redoes,
            problem=problem_with_submission(state),
            elapsed=self.elapsed,
        )

    def load(self, command: str) -> Loaded | Response:
        """Ask the web for what a command needs and store its replies, or return the reason why the command is not possible.

        Blocks until the web replies. Can run in any thread; nothing changes until `do` gets the result.

        Raises:
            RecordError: A reply cannot be stored.
        """
        before = self.state.browser
        if before.phase != "browsing":
            return Response(problem=NOT_BROWSING)
        action = parse_action(command)
        if isinstance(action, Invalid):
            return Response(problem=action.reason)
        loaded = self._stepper.ask(self._backend, before, action)
        if loaded.info.problem is not None:
            return Response(problem=loaded.info.problem)
        _ = loaded.after.page.normal  # used by find and quote; takes 0.2 s for 10,000 lines, better spent in this thread
        return loaded

    def do(self, event: Event | Select | Loaded) -> Response:
        """Carry out an event, or return the reason why it is not possible. The event is on the disk when this returns.

        An `Act` that needs the web blocks until the web replies.
        """
        if self.is_submitted:
            return super().do(Submit())
        match event:
            case Act(replies=None) if isinstance(parse_action(event.command), (Search, Click)):
                loaded = self.load(event.command)
                return loaded if isinstance(loaded, Response) else self._do_loaded(loaded)
            case Loaded():
                return self._do_loaded(event)
            case Select():
                return self._do_select(event)
            case _:
                return super().do(event)

    def page_of(self, number: int) -> Page:
        """Return the page from which a reference, counted from 1, was quoted."""
        return self.state.states[quotes_of(self.state, number)[0]].page

    def episode(self) -> Episode:
        """Return the demonstration as a record. The record of an unfinished one has a failure."""
        return episode_of(self.state)

    def web(self) -> RecordedWeb:
        """Return the web as it was recorded, on which the episode replays."""
        replies = (reply for move in self.state.moves for reply in move.replies)
        return RecordedWeb(self.state.begin.backend, replies, self._store)

    def _do_loaded(self, loaded: Loaded) -> Response:
        if loaded.before is not self.state.browser:
            return Response(problem="the page has changed in the meantime; try again")
        self._stepper.remember(loaded)
        return super().do(loaded.act)

    def _do_select(self, select: Select) -> Response:
        if self.state.browser.phase != "browsing":
            return Response(problem=NOT_BROWSING)
        quote = quotation(self.state.browser, (select.start, select.end))
        if isinstance(quote, str):
            return Response(problem=quote)
        response = super().do(Act(command=quote.command))
        if not response.is_done or not quote.is_elsewhere:
            return response
        return replace(response, note=response.note or "the same words appear earlier on this page; quoted from there")

    def _initial_state(self, begin: Event) -> Demonstration:
        assert isinstance(begin, Begin)
        return Demonstration(begin, (BrowserState(begin.question, begin.settings, self._count_tokens),))

    def _item_id(self, begin: Event) -> str:
        assert isinstance(begin, Begin)
        return begin.question.id

    def _text_edit(self, event: Event) -> Edit | None:
        return event.edit if isinstance(event, Write) else None

    def _apply(self, state: Demonstration, event: Event, elapsed: float) -> Change[Demonstration] | Refusal:
        match event:
            case Act(command=command, replies=replies):
                return self._act(state, command, replies or (), elapsed)
            case RemoveReference(number=number):
                return remove_reference(state, number, self._stepper)
            case EditReference(number=number, start=start, end=end):
                return change_reference(state, number, (start, end), self._stepper)
            case Reopen():
                return _reopen(state)
            case Write(edit=edit):
                return _edit_answer(state, edit)
            case Submit():
                if problem := problem_with_submission(state):
                    return Refusal(problem)
                return Change(replace(state, submitted=elapsed), "Submit")
            case Begin() | Undo() | Redo():
                return Refusal("a recording begins only once")
            case _:
                assert_never(event)

    def _act(
        self, state: Demonstration, command: str, replies: Sequence[Reply], elapsed: float
    ) -> Change[Demonstration] | Refusal:
        before = state.browser
        if before.phase != "browsing":
            return Refusal(NOT_BROWSING)
        action = parse_action(command)
        if isinstance(action, Invalid):
            return Refusal(action.reason)
        after, info = self._stepper.step(before, action, replies)
        if problem := info.problem or _problem_with_effect(action, before, after, info):
            return Refusal(problem)
        changed = self._stepper.extended(state, Move(action, tuple(replies), elapsed))
        assert changed is not None  # the step was possible above
        return Change(changed, _label(action), _ending_note(changed.browser) or info.note)


def finished(folder: Path, *, count_tokens: TokenCounter = count_words) -> Iterator[Session]:
    """Yield the submitted demonstrations in a folder and its subfolders, sorted by path. Nothing is written.

    Raises:
        RecordError: A journal cannot be read, or was changed after it was sealed.
    """
    for path in sealed_journals(folder, JOURNAL, SCHEMA):
        with Session(path.parent, RecordedWeb("", (), ReplyStore(path.parent / PAGES)), count_tokens=count_tokens) as session:
            yield session


def _reopen(state: Demonstration) -> Change[Demonstration] | Refusal:
    if state.browser.phase == "browsing" or not state.moves or not isinstance(state.moves[-1].action, End):
        return Refusal("browsing was not ended with a command; use undo instead")
    return Change(replace(state, moves=state.moves[:-1], states=state.states[:-1]), "Back to browsing")


def _edit_answer(state: Demonstration, edit: Edit) -> Change[Demonstration] | Refusal:
    if state.browser.phase != "answering":
        return Refusal("end browsing first, then write the answer")
    text = apply_edit(state.answer, edit)
    if text is None:
        return Refusal("the edit is outside the answer")
    if len(text) > MAX_ANSWER:
        return Refusal(f"the answer is too long; the limit is {MAX_ANSWER:,} characters")
    return Change(replace(state, answer=text), "Writing")


def _problem_with_effect(action: Action, before: BrowserState, after: BrowserState, info: Info) -> str | None:
    """Return the reason why a command that is possible must not be recorded: it would have no effect."""
    match action:
        case ScrollDown() | ScrollUp() | Top() if after.visit == before.visit:
            return info.note or "this is the top of the page"
        case Quote() if after.references == before.references:
            if after.ending == "max_references":
                return "not enough quote tokens left; quote less, or remove or shorten a reference"
            return "these words are quoted already"
        case End(EndReason.ANSWER) if not before.references:
            return "quote something first; the answer must cite it"
        case _:
            return None


def _ending_note(browser: BrowserState) -> str | None:
    match browser.ending:
        case "max_actions":
            return "that was the last action; write the answer" if browser.references else "that was the last action"
        case "max_references":
            return "no quote tokens left; write the answer"
        case _:
            return None


def _label(action: Action) -> str:
    match action:
        case Search(query):
            return f"Search {shorten(query)}"
        case Quote():
            return "Quote"
        case Click():
            return "Click"
        case _:
            return format_action(action)
