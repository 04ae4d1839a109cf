"""Base class of the recorder's programs: the queue of work, undo and redo, help, the command palette and the theme.

A program subclasses `RecorderApp` with the type of its recordings and chooses the screen for a recording. Screens pass events
to `RecorderApp.do`. After a submission, the next item is taken from the queue. Every step is in the journal before it is shown.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import Input

from browser_env.errors import RecordError, WebGPTError
from recorder.journal.recording import Recording, Redo, Response, Undo
from recorder.queue.leases import TTL
from recorder.queue.queue import Job, Queue
from recorder.screens.dialogs import AskLine, Choice, Help
from recorder.screens.summary import Summary
from recorder.screens.work import WorkScreen
from recorder.widgets.heading import minutes
from recorder.widgets.keys import shown_bindings

R = TypeVar("R", bound="Recording[Any, Any]")
THEMES = ("textual-dark", "textual-light")
"""Names of the dark and the light Textual theme."""


class RecorderApp(App[None], Generic[R]):
    """A program for one annotator who works on a queue."""

    CSS_PATH = "recorder.tcss"
    TITLE = "webgpt"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_DISPLAY = "^p"
    BINDINGS = [
        Binding("ctrl+z", "undo", "undo", priority=True, key_display="^z", tooltip="Undo the last step"),
        Binding("ctrl+y", "redo", "redo", priority=True, key_display="^y", tooltip="Redo the step that was undone"),
        Binding("f4", "skip", "skip", key_display="F4", tooltip="Leave this one to others and give a reason"),
        Binding("f3", "light_or_dark", "light/dark", key_display="F3", tooltip="Switch between a dark and a light screen"),
        Binding("f1", "help", "help", key_display="F1", tooltip="Help on this screen and its keys"),
        Binding("ctrl+q", "leave", "leave", priority=True, key_display="^q", tooltip="Stop for now; everything is saved"),
    ]

    def __init__(self, queue: Queue, open_recording: Callable[[Job], R], *, theme: str = THEMES[0]) -> None:
        """Create the program. After `run`, `error` is the error that ended it, or None.

        Args:
            queue: The queue of items.
            open_recording: Begins or continues the recording of a job.
            theme: Name of a Textual theme.
        """
        super().__init__()
        self.theme = theme
        self.error: WebGPTError | None = None
        self.job: Job | None = None
        self.recording: R | None = None
        self._queue = queue
        self._open_recording = open_recording
        self._progress = ""
        self._is_shared = False

    @abstractmethod
    def screen_for(self, recording: R) -> type[WorkScreen]:
        """Return the screen class for the state of a recording."""

    @abstractmethod
    def describe(self, recording: R) -> str:
        """Return the progress of an unfinished recording as text."""

    def on_mount(self) -> None:
        """Take the first item, and renew its lease regularly."""
        self.set_interval(TTL / 4, self._renew)
        self.next()

    def on_unmount(self) -> None:
        """Release the unfinished item."""
        try:
            if self.job is not None and self.recording is not None:
                self.job.release(self.recording.elapsed)
        except RecordError as error:
            self.error = error
        self._close()

    def next(self) -> None:
        """Take the next item. If its recording is unfinished, ask whether to continue it."""
        self._close()
        try:
            self.job, self._is_shared = self._queue.take(), False
            progress = self._queue.progress()
            if self.job is None:
                self._replace(Summary(progress, self.next))
                return
            self._progress = f"{progress.done} of {progress.total} done"
            self.recording = self._open_recording(self.job)
        except WebGPTError as error:
            self.fail(error)
            return
        if self.recording.is_submitted:  # the program was stopped before the queue was updated
            self._finish()
        elif self.recording.undoes or self.recording.redoes:
            self._offer(self.recording)
        else:
            self.show()

    def fail(self, error: WebGPTError) -> None:
        """End the program with an error. The caller of `run` reports it."""
        self.error = error
        self.exit()

    def _offer(self, recording: R) -> None:
        def proceed(choice: str | None) -> None:
            if choice == "skip":
                self.action_skip()

        self.show()
        text = f"{self.describe(recording)}\nTime spent: {minutes(recording.elapsed)}. Everything was saved."
        choices = {"continue": ("enter", "continue where you left off"), "skip": ("f4", "skip it and give a reason")}
        self.push_screen(Choice("You left this one unfinished", text, choices, can_cancel=False), proceed)

    def _finish(self) -> None:
        assert self.job is not None and self.recording is not None
        seconds = self.recording.elapsed
        self.job.finish(seconds)
        self.job = None
        self.notify(f"Submitted after {minutes(seconds)}.", timeout=4)
        self.next()

    def _renew(self) -> None:
        if self.job is None or self._is_shared:
            return
        try:
            self._is_shared = not self.job.renew()
        except RecordError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        if self._is_shared:
            self.notify("This program did not respond, and another annotator has started this one too. You can finish it.")

    def _close(self) -> None:
        if self.recording is not None:
            self.recording.close()
            self.recording = None

    def do(self, event: Any) -> Response:
        """Carry out an event and show the response. After a submission, the next item is shown."""
        assert self.recording is not None
        try:
            response = self.recording.do(event)
        except RecordError as error:
            response = Response(problem=str(error))
        if response.is_done and self.recording.is_submitted:
            self._finish()
            return response
        self.show(response)
        return response

    def show(self, response: Response | None = None) -> None:
        """Show the recording and the response to the last step."""
        assert self.recording is not None
        screen_class = self.screen_for(self.recording)
        screen = next((screen for screen in reversed(self.screen_stack) if isinstance(screen, WorkScreen)), None)
        if screen is None or type(screen) is not screen_class or screen.recording is not self.recording:
            screen = screen_class(self.recording, self._progress, self.do)
            self._replace(screen)
        screen.update(response or Response())

    def _replace(self, screen: Screen[None]) -> None:
        """Replace the current screen and the dialogs in front of it. Textual's empty default screen stays below."""
        while self.screen.is_modal:
            self.pop_screen()
        if len(self.screen_stack) > 1:
            self.switch_screen(screen)
        else:
            self.push_screen(screen)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enable skip on work screens, and undo and redo outside text boxes if there is a step to undo or redo."""
        if action in ("undo", "redo", "skip"):
            if self.recording is None or self.screen.is_modal or not isinstance(self.screen, WorkScreen):
                return False
            if action == "skip":
                return True
            if isinstance(self.focused, Input):
                return False
            return bool(self.recording.undoes if action == "undo" else self.recording.redoes) or None
        return True

    def action_undo(self) -> None:
        """Undo the last step."""
        self.do(Undo())

    def action_redo(self) -> None:
        """Redo the step that was undone."""
        self.do(Redo())

    def action_skip(self) -> None:
        """Skip this item, with a reason."""

        def skip(reason: str | None) -> None:
            if reason is not None and self.job is not None and self.recording is not None:
                self.job.skip(reason, self.recording.elapsed)
                self.job = None
                self.next()

        self.push_screen(AskLine("Skip this one?", "It is left to other annotators. Why do you skip it?", "your reason"), skip)

    def action_leave(self) -> None:
        """Leave the program. The unfinished item is released."""
        self.exit()

    def action_light_or_dark(self) -> None:
        """Switch between the dark and the light theme."""
        self.theme = THEMES[self.theme == THEMES[0]]

    def action_help(self) -> None:
        """Show help on the screen and its keys."""
        keys = [(self.get_key_display(binding), binding.tooltip or binding.description) for binding in self.useful_bindings()]
        self.push_screen(Help(self.screen.HELP or "", keys))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Yield the active keys as commands for the palette."""
        for active in screen.active_bindings.values():
            binding, node = active.binding, active.node
            if binding.description and active.enabled and not binding.system:
                name = binding.description.capitalize()
                yield SystemCommand(name, binding.tooltip, lambda b=binding, n=node: self.run_action(b.action, n))

    def useful_bindings(self) -> list[Binding]:
        """Return the active bindings for the help screen, each action once."""
        return [active.binding for active in shown_bindings(self.screen) if not active.binding.system]
