"""Demonstrations: every event, undo and redo, reopening, and replay of the exported episode."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from browser_env.backends import Backend, FakeBackend, SearchHit
from browser_env.errors import RecordError, UsageError
from browser_env.observation import observe
from browser_env.pages.page import Page
from browser_env.records import Episode, Question, Settings
from browser_env.records.storage import append_record, read_records
from recorder.demonstrations.events import JOURNAL, Act, Begin, EditReference, RemoveReference, Reopen, Select, Write
from recorder.demonstrations.export import replay
from recorder.demonstrations.session import Session, finished
from recorder.demonstrations.state import Demonstration
from recorder.demonstrations.stepping import Loaded
from recorder.journal.recording import Redo, Submit, Undo
from recorder.journal.text_edits import Edit, edit_between
from tests.recorder.webs import CROWS, CROWS_TEXT, changed_web, web

QUESTION = Question(id="crows", text="What do crows bring, and to whom?")
BEGIN = Begin(question=QUESTION, settings=Settings(view_height=10), backend="fake", annotator="ann")
ANSWER = "Crows bring gifts. [1]"


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def open_session(
    folder: Path,
    backend: Backend | None = None,
    begin: Begin | None = BEGIN,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Session:
    return Session(folder, backend or web(), begin, clock=clock)


def done(session: Session, *commands: str) -> None:
    for command in commands:
        assert session.do(Act(command=command)).problem is None, command


def select(session: Session, words: str) -> None:
    start = session.view().page.text.index(words)
    assert session.do(Select(start=start, end=start + len(words))).problem is None, words


def write(session: Session, text: str) -> None:
    edit = edit_between(session.state.answer, text)
    assert edit is not None
    assert session.do(Write(edit=edit)).problem is None


def commands(session: Session) -> list[str]:
    return [step.completion for step in session.episode().steps]


@pytest.fixture
def session(tmp_path: Path, no_fsync: None) -> Iterator[Session]:
    """A session on the page about crows."""
    with open_session(tmp_path / "recording") as session:
        done(session, "Search crows", "Clicked on link 0")
        yield session


def test_a_demonstration_from_the_first_command_to_the_episode(tmp_path: Path) -> None:
    clock = Clock()
    with open_session(tmp_path, clock=clock) as session:
        assert session.view().phase == "browsing"
        assert session.view().question == QUESTION.text
        assert (session.view().undoes, session.view().problem) == (None, "end browsing first")
        for command in ("Search crows", "Clicked on link 0", "Scrolled down 1", "Scrolled down 1"):
            clock.now += 2
            done(session, command)
        clock.now += 5
        select(session, LINE)
        view = session.view()
        assert view.lines == tuple(observe(session.state.browser).split("♦Text\n")[1].split("\n\n♦Actions")[0].split("\n"))
        assert (view.actions_left, view.references[0].extract, view.undoes) == (96, LINE, "Quote")
        done(session, "End: Answer")
        assert session.view().phase == "answering"
        assert session.do(Submit()).problem == "write the answer first"
        clock.now += 4
        write(session, ANSWER)
        assert session.do(Submit()).is_done
        assert (session.view().phase, session.view().undoes, session.elapsed) == ("submitted", None, 17)
        clock.now += 100
        assert session.do(Undo()).problem == "already submitted; it cannot be changed"
        assert session.do(Write(edit=Edit(start=0, end=0, text="x"))).problem == "already submitted; it cannot be changed"
        assert session.elapsed == 17
        episode = session.episode()
    assert [step.completion for step in episode.steps] == [
        "Search crows",
        "Clicked on link 0",
        "Scrolled down 2",
        f"Quote: {LINE}",
        "End: Answer",
        ANSWER,
    ]
    assert [step.seconds for step in episode.steps] == [2, 2, 4, 5, 0, 4]
    assert (episode.actor, episode.answer, episode.ending, episode.failure) == ("human:ann", ANSWER, "answer", None)
    assert replay(episode, web()) is None
    append_record(tmp_path / "episodes.jsonl", episode)
    assert list(read_records(tmp_path / "episodes.jsonl", Episode)) == [episode]


LINE = "Crow number 20 brought me glass."


def test_reopening_and_redo_do_not_ask_the_web(tmp_path: Path, no_fsync: None) -> None:
    with open_session(tmp_path) as session:
        done(session, "Search crows", "Clicked on link 1", "Back", "Clicked on link 0", "Clicked on link 2", "Back")
        select(session, "Crow number 0 brought me a key.")
        before, observation, view = session.state, observe(session.state.browser), session.view()
    with open_session(tmp_path, changed_web()) as session:
        assert session.state == before
        assert observe(session.state.browser) == observation
        assert session.view().lines == view.lines
        for _ in range(4):
            assert session.do(Undo()).is_done
        assert session.view().page.title == "Search results for: crows"
        for _ in range(4):
            assert session.do(Redo()).is_done
        assert session.state == before
        done(session, "Back", "Clicked on link 0")
        assert session.view().page.title == "Sold"
        assert [visit.page.title for visit in session.state.browser.visits] == ["Search results for: crows", "Sold"]
        assert replay(session.episode(), session.web()) is None
        assert replay(session.episode(), changed_web()) is not None


@pytest.mark.parametrize(
    ("scrolls", "merged"),
    [
        (["down"], ["Scrolled down 1"]),
        (["down"] * 3, ["Scrolled down 3"]),
        (["down"] * 5, ["Scrolled down 3", "Scrolled down 2"]),
        (["down", "down", "up", "up", "down"], ["Scrolled down 2", "Scrolled up 2", "Scrolled down 1"]),
        (["down"] * 30, ["Scrolled down 3", "Scrolled down 3", "Scrolled down 1"]),
    ],
    ids=["one", "three", "five", "both ways", "to the end"],
)
def test_consecutive_scrolls_are_merged_up_to_three(session: Session, scrolls: list[str], merged: list[str]) -> None:
    for direction in scrolls:
        session.do(Act(command=f"Scrolled {direction} 1"))
    assert commands(session)[2:] == merged
    assert session.view().actions_left == 100 - 2 - len(merged)
    assert replay(session.episode(), session.web()) is None
    for _ in session.episode().steps[2:]:
        session.do(Undo())
    assert session.view().top <= 8 * max(0, len(scrolls) - len(merged))


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("Scrolled up 1", "this is the top of the page"),
        ("Top", "this is the top of the page"),
        ("Clicked on link 77", "link 77 is not on this page (0-2)"),
        ("Quote: nothing of the kind", "the quoted text is not on this page"),
        ("End: Answer", "quote something first; the answer must cite it"),
        ("Jump", "'Jump' is not a command"),
    ],
)
def test_commands_without_effect_are_refused_and_not_recorded(session: Session, command: str, problem: str) -> None:
    journal = (session.folder / JOURNAL).read_bytes()
    before = session.state
    response = session.do(Act(command=command))
    assert problem in (response.problem or "")
    assert session.state is before
    assert (session.folder / JOURNAL).read_bytes() == journal


def test_a_removed_reference_was_never_quoted(session: Session) -> None:
    select(session, "Crow number 0 brought me a key.")
    done(session, "Scrolled down 1")
    select(session, LINES[12])
    done(session, "Scrolled down 1", "Find in page: Thé end")
    select(session, "Thé end")
    left = session.view().reference_tokens_left
    assert session.do(RemoveReference(number=2)).is_done
    assert [reference.extract for reference in session.view().references] == ["Crow number 0 brought me a key.", "Thé end"]
    assert session.view().reference_tokens_left == left + 2 + 7
    assert commands(session)[2:] == [
        "Quote: Crow number 0 brought me a key.",
        "Scrolled down 2",
        "Find in page: Thé end",
        "Quote: Thé end",
    ]
    assert replay(session.episode(), session.web()) is None
    assert session.do(Undo()).note == "undone: Remove [2]"
    assert len(session.view().references) == 3
    assert session.do(RemoveReference(number=4)).problem == "there is no reference [4]"


LINES = CROWS_TEXT.split("\n\n")[1].split("\n")


def test_a_changed_reference_was_quoted_in_its_new_form(session: Session) -> None:
    select(session, "Crow number 0 brought me a key.")
    done(session, "Scrolled down 3")
    start = CROWS_TEXT.index("number 0")
    end = CROWS_TEXT.index(" an earring")
    assert session.page_of(1) == session.state.states[2].page
    assert session.do(EditReference(number=1, start=start, end=end)).is_done
    assert session.view().references[0].extract == CROWS_TEXT[start:end]
    assert commands(session)[2:] == ["Quote: number 0 brought me a key. Crow number 1 brought me", "Scrolled down 3"]
    assert replay(session.episode(), session.web()) is None
    assert session.do(EditReference(number=1, start=start, end=end)).problem == "the reference has not changed"
    assert session.do(EditReference(number=1, start=5, end=5)).problem == "nothing is selected"


def test_a_reference_of_several_quotes_is_changed_and_removed_as_one(session: Session) -> None:
    first = CROWS_TEXT.index("Crow number 0")
    for start, end in ((first, first + 31), (first + 40, first + 60), (first + 20, first + 45)):
        assert session.do(Select(start=start, end=end)).is_done
    assert (session.view().references[0].start, session.view().references[0].end) == (first, first + 45)
    assert session.do(Select(start=first + 2, end=first + 12)).problem == "these words are quoted already"
    merged = session.state
    assert session.do(EditReference(number=1, start=first, end=first + 6)).is_done
    assert session.view().references[0].extract == "Crow n"
    assert len(commands(session)) == 4
    assert session.do(Undo()).is_done
    assert session.state == merged
    assert session.do(RemoveReference(number=1)).is_done
    assert len(session.view().references) == 1
    assert replay(session.episode(), session.web()) is None


def test_a_changed_reference_absorbs_the_one_it_contains(session: Session) -> None:
    first = CROWS_TEXT.index("Crow number 0")
    for start, end in ((first, first + 6), (first + 12, first + 20)):
        assert session.do(Select(start=start, end=end)).is_done
    assert session.do(EditReference(number=1, start=first, end=first + 31)).is_done
    assert [reference.extract for reference in session.view().references] == [LINES[0]]
    assert commands(session)[2:] == [f"Quote: {LINES[0]}"]
    assert replay(session.episode(), session.web()) is None


def test_using_all_quote_tokens_ends_browsing_until_undo(tmp_path: Path, no_fsync: None) -> None:
    begin = Begin(question=QUESTION, settings=Settings(max_reference_tokens=12), backend="fake", annotator="ann")
    with open_session(tmp_path, begin=begin) as session:
        done(session, "Search crows", "Clicked on link 0")
        select(session, "Crow number 0 brought me a key.")
        start = CROWS_TEXT.index("Crow number 1 brought")
        response = session.do(Select(start=start, end=start + 50))
        assert response.note == "no quote tokens left; write the answer"
        assert session.view().phase == "answering"
        assert session.do(Reopen()).problem is not None
        assert session.do(RemoveReference(number=1)).problem is not None
        assert session.do(Undo()).is_done
        assert (session.view().phase, session.view().reference_tokens_left) == ("browsing", 3)
        too_long = EditReference(number=1, start=CROWS_TEXT.index("Crow number 0"), end=start + 200)
        assert session.do(too_long).problem == "not enough quote tokens left for it"


def test_the_last_action_ends_browsing(tmp_path: Path, no_fsync: None) -> None:
    begin = Begin(question=QUESTION, settings=Settings(max_actions=2), backend="fake", annotator="ann")
    with open_session(tmp_path, begin=begin) as session:
        done(session, "Search crows")
        assert session.do(Act(command="Clicked on link 0")).note == "that was the last action"
        assert (session.view().phase, session.view().ending, session.view().problem) == ("ended", "max_actions", None)
        assert session.do(Act(command="Back")).problem == "browsing has ended; go back to it first"
        assert session.do(Submit()).is_done
        assert (session.episode().answer, replay(session.episode(), session.web())) == (None, None)


def test_an_early_end_can_be_reopened_until_submission(session: Session) -> None:
    done(session, "End: Nonsense")
    assert (session.view().phase, session.view().problem) == ("ended", None)
    assert session.do(Reopen()).is_done
    assert session.view().phase == "browsing"
    done(session, "End: Controversial")
    assert session.do(Submit()).is_done
    assert (session.episode().ending, session.episode().answer) == ("controversial", None)


def test_reopening_keeps_the_answer_and_warns_of_renumbered_references(session: Session) -> None:
    for number in (0, 1):
        select(session, LINES[number])
    done(session, "End: Answer")
    write(session, ANSWER)
    assert session.do(Reopen()).is_done
    assert session.do(RemoveReference(number=1)).note == "references were renumbered; check the citations of your answer"
    done(session, "End: Answer")
    assert session.view().answer == ANSWER
    assert replay(session.episode(), session.web()) is None


def test_undo_reverts_a_word_at_a_time(session: Session) -> None:
    select(session, LINES[0])
    done(session, "End: Answer")
    text = ""
    for character in "Crows bring gifts":
        write(session, text := text + character)
    write(session, text := text[:-1])
    write(session, text := text[:-1])
    answers = [session.state.answer]
    while session.view().undoes == "Writing":
        session.do(Undo())
        answers.append(session.state.answer)
    assert answers == ["Crows bring gif", "Crows bring gifts", "Crows bring ", "Crows ", ""]
    for answer in reversed(answers[:-1]):
        session.do(Redo())
        assert session.state.answer == answer


def test_a_late_result_is_refused_after_the_page_has_changed(session: Session) -> None:
    loaded = session.load("Clicked on link 0")
    assert isinstance(loaded, Loaded)
    done(session, "Back")
    assert session.do(loaded).problem == "the page has changed in the meantime; try again"
    assert session.load("Clicked on link 9") == session.do(Act(command="Clicked on link 9"))


def test_exceptions_of_the_backend_become_error_pages(tmp_path: Path, no_fsync: None) -> None:
    class Broken(FakeBackend):
        def search(self, query: str) -> tuple[SearchHit, ...]:
            raise ZeroDivisionError("one\ntwo")

    with open_session(tmp_path, Broken([])) as session:
        done(session, "Search crows")
        assert session.view().page.text == "ZeroDivisionError: one two"
        assert session.do(Select(start=0, end=10)).problem == "error pages and empty results pages cannot be quoted"
        state = session.state
    with open_session(tmp_path) as session:
        assert session.state == state
        assert replay(session.episode(), session.web()) is None


def test_invalid_recordings_are_rejected(tmp_path: Path, no_fsync: None) -> None:
    with pytest.raises(UsageError, match="there is no demonstration to continue"):
        open_session(tmp_path / "none", begin=None)
    assert not (tmp_path / "none").exists()
    with open_session(tmp_path) as session:
        done(session, "Search crows", "Clicked on link 0")
    with pytest.raises(UsageError, match="contains the demonstration of another item: 'crows'"):
        open_session(
            tmp_path, begin=Begin(question=Question(id="x", text="x"), settings=Settings(), backend="", annotator="ann")
        )
    page = max((tmp_path / "pages").iterdir(), key=lambda path: path.stat().st_size)
    whole = page.read_bytes()
    page.write_bytes(whole.replace(b"key", b"kex"))
    with pytest.raises(RecordError, match="was changed; restore this page of the recording from a backup"):
        open_session(tmp_path)
    page.unlink()
    with pytest.raises(RecordError, match="cannot be read: No such file or directory; restore this page"):
        open_session(tmp_path)


def test_stored_pages_are_read_back_unchanged(tmp_path: Path, no_fsync: None) -> None:
    odd = Page("http://a.org/\udce9", "Odd", "a\u2028b 👩\u200d🚀", notes=("soft_404", "12 hidden"))
    backend = FakeBackend([odd], {"odd": [SearchHit(odd.url, "Odd \ud800", "…")]})
    with open_session(tmp_path, backend) as session:
        done(session, "Search odd", "Clicked on link 0")
        state = session.state
        assert state.browser.page == odd
    with open_session(tmp_path) as session:
        assert session.state == state
    with open_session(tmp_path / "crows") as session:
        done(session, "Search crows", "Clicked on link 0")
    with open_session(tmp_path / "crows", changed_web()) as session:
        assert session.state.browser.page == CROWS.without_links(lambda url: "reddit" in url)


def test_finished_yields_the_submitted_sessions(tmp_path: Path, no_fsync: None) -> None:
    for name in ("one", "two", "three"):
        with open_session(tmp_path / name) as session:
            done(session, "Search crows", "End: Nonsense")
            if name != "three":
                session.do(Submit())
                assert session.digest is not None
    assert [session.folder.name for session in finished(tmp_path)] == ["one", "two"]
    with open_session(tmp_path / "one") as session:
        assert session.view().phase == "submitted"
    path = tmp_path / "two" / JOURNAL
    path.write_bytes(path.read_bytes().replace(b"crows", b"crowd"))
    with pytest.raises(RecordError, match="was changed after it was sealed"):
        list(finished(tmp_path))


def test_a_submitted_journal_without_a_seal_is_sealed_when_opened(tmp_path: Path, no_fsync: None) -> None:
    with open_session(tmp_path) as session:
        done(session, "Search crows", "End: Nonsense")
        session.do(Submit())
        digest = session.digest
    path = tmp_path / JOURNAL
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b'{"sealed"') + 20])
    with open_session(tmp_path) as session:
        assert (session.view().phase, session.digest) == ("submitted", digest)
    assert path.read_bytes() == whole


def test_a_journal_with_an_impossible_event_is_rejected(tmp_path: Path, no_fsync: None) -> None:
    with open_session(tmp_path) as session:
        done(session, "Search crows")
    path = tmp_path / JOURNAL
    path.write_bytes(path.read_bytes() + b'{"elapsed": 1.0, "event": {"event": "redo"}}\n')
    with pytest.raises(RecordError, match="contains an event that is not possible: there is nothing to redo"):
        open_session(tmp_path)


def test_a_failed_write_does_not_change_the_state(tmp_path: Path, no_fsync: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with open_session(tmp_path) as session:
        done(session, "Search crows")
        before = session.state
        with monkeypatch.context() as broken:
            broken.setattr("os.fsync", full)
            for command in ("Find in page: key", "Clicked on link 0"):
                with pytest.raises(RecordError, match="cannot be written: No space left on device"):
                    session.do(Act(command=command))
        assert session.state is before
        done(session, "Clicked on link 0")
        state = session.state
    with open_session(tmp_path) as session:
        assert session.state == state


def test_truncation_at_any_byte_loses_only_the_last_event(tmp_path: Path, no_fsync: None) -> None:
    states: list[Demonstration] = []
    with open_session(tmp_path) as session:
        for event in (Act(command="Search crows"), Act(command="Find in page: key"), Undo(), Redo()):
            states.append(session.state)
            session.do(event)
        states.append(session.state)
    path = tmp_path / JOURNAL
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        with open_session(tmp_path, changed_web()) as session:
            num_events = max(0, whole[:cut].count(b"\n") - 2)
            assert session.state == states[min(num_events, len(states) - 1)]


COMMANDS = (
    "Search crows",
    "Search nothing at all",
    "Clicked on link 0",
    "Clicked on link 1",
    "Clicked on link 2",
    "Find in page: gifts",
    "Find in page: nowhere",
    "Scrolled down 1",
    "Scrolled down 1",
    "Scrolled up 1",
    "Top",
    "Back",
    "Quote: Crow number 0",
    "End: Answer",
    "End: Nonsense",
)


class Anything(RuleBasedStateMachine):
    """All events in any order. Reopening, undo and redo give the same states."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp())
        self.past: list[Demonstration] = []
        self.future: list[Demonstration] = []

    def teardown(self) -> None:
        self.session.close()
        shutil.rmtree(self.folder)

    @initialize(tokens=st.sampled_from([20, 60, 512]), actions=st.sampled_from([6, 100]), is_on_page=st.booleans())
    def begin(self, tokens: int, actions: int, is_on_page: bool) -> None:
        changes = Settings(view_height=8, max_reference_tokens=tokens, max_actions=actions)
        begin = Begin(question=QUESTION, settings=changes, backend="fake", annotator="ann")
        self.session = open_session(self.folder, begin=begin)
        for command in ("Search crows", "Clicked on link 0") if is_on_page else ():
            self.event(Act(command=command))

    def event(self, event: Act | Select | RemoveReference | EditReference | Reopen | Write) -> None:
        before, undoes = self.session.state, self.session.undoes
        if self.session.do(event).problem is not None:
            assert self.session.state is before
            return
        if not (isinstance(event, Write) and undoes == "Writing" and self.has_joined(before)):
            self.past.append(before)
        self.future = []

    def has_joined(self, before: Demonstration) -> bool:
        """Whether the last edit joined the previous one, so that one undo reverts both."""
        return before is not self.session._history[self.session._position - 1].state

    @rule(command=st.sampled_from(COMMANDS))
    def act(self, command: str) -> None:
        self.event(Act(command=command))

    @rule(start=st.integers(0, 400), length=st.integers(1, 200))
    def select(self, start: int, length: int) -> None:
        self.event(Select(start=start, end=min(start + length, len(self.session.view().page.text))))

    @precondition(lambda self: self.session.view().references)
    @rule(number=st.integers(1, 3))
    def remove(self, number: int) -> None:
        self.event(RemoveReference(number=number))

    @precondition(lambda self: self.session.view().references)
    @rule(number=st.integers(1, 3), start=st.integers(0, 400), length=st.integers(1, 200))
    def edit(self, number: int, start: int, length: int) -> None:
        self.event(EditReference(number=number, start=start, end=start + length))

    @precondition(lambda self: self.session.view().phase == "answering")
    @rule(start=st.integers(0, 10), end=st.integers(0, 10), text=st.sampled_from(["", "a", "bc", " ", "[1]"]))
    def write(self, start: int, end: int, text: str) -> None:
        self.event(Write(edit=Edit(start=start, end=end, text=text)))

    @precondition(lambda self: self.session.view().phase in ("answering", "ended"))
    @rule()
    def reopen(self) -> None:
        self.event(Reopen())

    @rule()
    def undo(self) -> None:
        before = self.session.state
        assert self.session.do(Undo()).is_done == bool(self.past)
        if self.past:
            self.future.append(before)
            assert self.session.state == self.past.pop()

    @rule()
    def redo(self) -> None:
        before = self.session.state
        assert self.session.do(Redo()).is_done == bool(self.future)
        if self.future:
            self.past.append(before)
            assert self.session.state == self.future.pop()

    @invariant()
    def reopening_gives_the_same_state(self) -> None:
        with open_session(self.folder, changed_web(), begin=None) as again:
            assert again.state == self.session.state
            assert (again.undoes, again.redoes) == (self.session.undoes, self.session.redoes)
            assert observe(again.state.browser) == observe(self.session.state.browser)

    @invariant()
    def the_episode_replays(self) -> None:
        episode = self.session.episode()
        assert replay(episode, self.session.web()) is None
        for step, following in zip(episode.steps, episode.steps[1:], strict=False):
            both = step.completion[:-1], following.completion[:-1]
            assert both[0] != both[1] or not both[0].startswith("Scrolled") or step.completion.endswith("3")
        assert all(step.problem is None for step in episode.steps)

    @invariant()
    def limits_are_kept(self) -> None:
        view = self.session.view()
        assert view.actions_left >= 0
        assert view.reference_tokens_left >= 0
        pages = {state.page.digest: state.page for state in self.session.state.states}
        for number, reference in enumerate(view.references, start=1):
            assert reference.extract == pages[reference.page].text[reference.start : reference.end]
            assert self.session.page_of(number).digest == reference.page


@pytest.mark.usefixtures("no_fsync")
class TestAnything(Anything.TestCase):  # type: ignore[misc, valid-type]  # made by hypothesis
    settings = settings(max_examples=50, stateful_step_count=25, suppress_health_check=list(HealthCheck))
