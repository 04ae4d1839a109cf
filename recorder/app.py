"""The frame of the recorder's programs: the queue of work, undo and redo, help, the command palette, dark and light.

A program subclasses `RecorderApp` with the kind of its recordings and says which screen shows what stands. A screen gives
events to `RecorderApp.do`; when the recording is submitted, the next one is taken from the queue. All that is shown is in
the journal by then.
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
from recorder.widgets.common import minutes

R = TypeVar("R", bound="Recording[Any, Any]")
THEMES = ("textual-dark", "textual-light")


class RecorderApp(App[None], Generic[R]):
    """One annotator at work on a queue."""

    CSS_PATH = "recorder.tcss"
    TITLE = "webgpt"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_DISPLAY = "^p"
    BINDINGS = [
        Binding("ctrl+z", "undo", "undo", priority=True, key_display="^z", tooltip="Take the last step back"),
        Binding("ctrl+y", "redo", "redo", priority=True, key_display="^y", tooltip="Do again what was taken back"),
        Binding("f4", "skip", "skip", key_display="F4", tooltip="Leave this one to others, and say why"),
        Binding("f3", "light_or_dark", "light/dark", key_display="F3", tooltip="Dark on light or light on dark"),
        Binding("f1", "help", "help", key_display="F1", tooltip="What this screen is for, and its keys"),
        Binding("ctrl+q", "leave", "leave", priority=True, key_display="^q", tooltip="Stop for now; everything is kept"),
    ]

    def __init__(self, queue: Queue, open_recording: Callable[[Job], R], *, theme: str = THEMES[0]) -> None:
        """Make the program; `run` runs it, and `error` says what ended it too early.

        Args:
            queue: What is to be done.
            open_recording: Begins the recording of a job, or goes on with it.
            theme: One of `THEMES`, or another of Textual's.
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
        """The kind of screen that shows what stands."""

    @abstractmethod
    def describe(self, recording: R) -> str:
        """How far a recording is, for whoever goes on with it."""

    # ------------------------------------------------------------------------------------------------------------ queue

    def on_mount(self) -> None:
        """Begin with the first item, and say now and then that the work goes on."""
        self.set_interval(TTL / 4, self._renew)
        self.next()

    def on_unmount(self) -> None:
        """Leave what is not finished to be gone on with."""
        try:
            if self.job is not None and self.recording is not None:
                self.job.release(self.recording.elapsed)
        except RecordError as error:
            self.error = error
        self._close()

    def next(self) -> None:
        """Take the next item; what was left unfinished is offered to go on with."""
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
        if self.recording.is_submitted:  # the program was ended before the queue heard of it
            self._finish()
        elif self.recording.undoes or self.recording.redoes:
            self._offer(self.recording)
        else:
            self.show()

    def fail(self, error: WebGPTError) -> None:
        """End the program with an error, which whoever ran it tells."""
        self.error = error
        self.exit()

    def _offer(self, recording: R) -> None:
        def go_on(choice: str | None) -> None:
            if choice == "skip":
                self.action_skip()

        self.show()
        text = f"{self.describe(recording)}\n{minutes(recording.elapsed)} of work; nothing of it is lost."
        choices = {"go on": ("enter", "go on exactly there"), "skip": ("f4", "skip it, and say why")}
        self.push_screen(Choice("You left this one unfinished", text, choices, can_cancel=False), go_on)

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
            self.notify("Somebody else has begun this one too, because this program was not heard of. You can finish it.")

    def _close(self) -> None:
        if self.recording is not None:
            self.recording.close()
            self.recording = None

    # ----------------------------------------------------------------------------------------------------------- events

    def do(self, event: Any) -> Response:
        """Carry out an event of the recording and show what came of it; the next item follows a submitted one."""
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
        """Show what stands, and what there is to say about the last step."""
        assert self.recording is not None
        kind = self.screen_for(self.recording)
        screen = next((one for one in reversed(self.screen_stack) if isinstance(one, WorkScreen)), None)
        if screen is None or type(screen) is not kind or screen.recording is not self.recording:
            screen = kind(self.recording, self._progress, self.do)
            self._replace(screen)
        screen.update(response or Response())

    def _replace(self, screen: Screen[None]) -> None:
        """Show another screen in the place of this one and of what stands in front of it; Textual's empty one stays below."""
        while self.screen.is_modal:
            self.pop_screen()
        if len(self.screen_stack) > 1:
            self.switch_screen(screen)
        else:
            self.push_screen(screen)

    # ---------------------------------------------------------------------------------------------------------- actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Undo and redo where there is something, and not while a line of text is typed or a question is open."""
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
        """Take the last step back."""
        self.do(Undo())

    def action_redo(self) -> None:
        """Do again what was taken back."""
        self.do(Redo())

    def action_skip(self) -> None:
        """Leave this item to others, with a reason."""

        def skip(reason: str | None) -> None:
            if reason is not None and self.job is not None and self.recording is not None:
                self.job.skip(reason, self.recording.elapsed)
                self.job = None
                self.next()

        self.push_screen(AskLine("Skip this one?", "Others will be asked. Why do you skip it?", "your reason"), skip)

    def action_leave(self) -> None:
        """Stop for now."""
        self.exit()

    def action_light_or_dark(self) -> None:
        """Change between a dark and a light screen."""
        self.theme = THEMES[self.theme == THEMES[0]]

    def action_help(self) -> None:
        """Show what the screen is for, and its keys."""
        keys = [(self.get_key_display(binding), binding.tooltip or binding.description) for binding in self.useful_bindings()]
        self.push_screen(Help(self.screen.HELP or "", keys))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """All that has a key now, for the command palette."""
        for active in screen.active_bindings.values():
            binding, node = active.binding, active.node
            if binding.description and active.enabled and not binding.system:
                name = binding.description.capitalize()
                yield SystemCommand(name, binding.tooltip, lambda b=binding, n=node: self.run_action(b.action, n))

    def useful_bindings(self) -> list[Binding]:
        """What has a key now, each action once."""
        found: dict[str, Binding] = {}
        for active in self.screen.active_bindings.values():
            if active.binding.show and active.binding.description and not active.binding.system:
                found.setdefault(active.binding.action, active.binding)
        return list(found.values())
