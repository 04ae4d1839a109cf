"""Running the recorder's programs, shared by `webgpt record` and `webgpt compare`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from browser_env.errors import UsageError
from recorder.queue.queue import Queue

if TYPE_CHECKING:
    from recorder.app import RecorderApp


@contextmanager
def textual_required(command: str) -> Iterator[None]:
    """Turn an `ImportError` in the block into a message that says what to install.

    Raises:
        UsageError: Textual is not installed.
    """
    try:
        yield
    except ImportError as error:
        raise UsageError(f"{command} needs textual: make install EXTRAS=recorder") from error


def check_terminal(command: str) -> None:
    """Check that the program runs in a terminal.

    Raises:
        UsageError: Standard input or standard error is not a terminal.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):  # Textual draws on stderr
        raise UsageError(f"{command} needs a terminal; standard input or standard error is not one")


def run_app(app: "RecorderApp[Any]", queue: Queue) -> int:
    """Run a program until its queue is empty or the annotator leaves, and print the progress on stderr.

    Returns:
        The exit code.

    Raises:
        WebGPTError: The error that ended the program.
    """
    from recorder.screens.summary import summary_line

    app.run()
    if app.error is not None:
        raise app.error
    print(summary_line(queue.progress()), file=sys.stderr)
    return app.return_code or 0
