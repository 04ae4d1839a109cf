"""Source: the documentation of the Python that runs this program, which is available on every machine.

`pydoc` renders the pages. It has to import the modules that it documents, which happens in a child interpreter
(`browser_env.offline_web.sources.pydoc_pages`).
"""

import json
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from browser_env.errors import CollectionError
from browser_env.offline_web.sources import Expected, Item, Skipped
from browser_env.pages.document import Document

CHILD = Path(__file__).with_name("pydoc_pages.py")
CHILD_FLAGS = ("-s", "-P", "-S", "-B", "-X", "utf8")
"""Flags of the child interpreter: no user or site packages, no modules of the working directory, no byte code, UTF-8."""
CHILD_ENVIRONMENT = {"PYTHONHASHSEED": "0", "TZ": "UTC", "PATH": ""}
"""Complete environment of the child interpreter: sets print in a fixed order, and the time zone is UTC."""


@dataclass(frozen=True, slots=True)
class PythonDocs:
    """A page for every public module of the standard library, and an index page."""

    modules: tuple[str, ...] | None = None
    """Modules to document, without their submodules. Default: all."""
    interpreter: str = sys.executable
    """Path of the Python interpreter to document."""
    timeout: float = 20
    """Seconds after which importing or documenting a module is stopped and the module skipped."""

    @property
    def label(self) -> str:
        """``pydoc-`` and the Python version."""
        return f"pydoc-{sys.version_info.major}.{sys.version_info.minor}"

    @property
    def addresses(self) -> frozenset[str]:
        return frozenset()

    def __iter__(self) -> Iterator[Item]:
        """Yield the index page, then the pages of the modules in alphabetical order.

        Raises:
            CollectionError: The interpreter cannot be run or has no documentation.
        """
        progress = _Progress()
        while not progress.finished:
            yield from self._run(progress)

    def _run(self, progress: "_Progress") -> Iterator[Item]:
        """Run a child interpreter until it has finished or a module has stopped it."""
        with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile("w+", encoding="utf-8") as request:
            json.dump({"modules": self.modules, "skip": sorted(progress.skipped), "done": sorted(progress.done)}, request)
            request.seek(0)
            try:
                child = subprocess.Popen(
                    (self.interpreter, *CHILD_FLAGS, CHILD),
                    cwd=directory,
                    env=CHILD_ENVIRONMENT,
                    stdin=request,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                    encoding="utf-8",
                )
            except OSError as error:
                raise CollectionError(f"the interpreter {self.interpreter!r} cannot be run: {error.strerror}") from error
            assert child.stdout is not None
            try:
                yield from self._read(child.stdout, progress)
            finally:
                child.kill()
                child.wait()
                child.stdout.close()
        if not progress.finished:
            if progress.working_on is None:
                raise CollectionError(f"{self.interpreter} cannot write its documentation; is its standard library complete?")
            progress.skipped.add(progress.working_on)
            yield Skipped(progress.working_on, progress.problem)
            progress.working_on = None

    def _read(self, output: IO[str], progress: "_Progress") -> Iterator[Item]:
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=_forward, args=(output, lines), daemon=True).start()
        while not progress.finished:
            try:
                line = lines.get(timeout=self.timeout)
            except queue.Empty:
                progress.problem = f"it took longer than {self.timeout:g} seconds"
                return
            if not line:
                progress.problem = "it ended the interpreter"
                return
            match json.loads(line):
                case {"error": str(problem)}:
                    raise CollectionError(f"{self.interpreter} has no documentation ({problem}); index with another Python")
                case {"working_on": str(name)}:
                    progress.working_on = name
                case {"expected": int(number)}:
                    yield Expected(number)
                case {"skipped": str(name), "reason": str(reason)} if name not in progress.skipped:
                    progress.skipped.add(name)
                    yield Skipped(name, reason)
                case {"name": str(name), "html": str(html)} if name not in progress.done:
                    progress.done.add(name)
                    yield Document(self._url(name), html.encode("utf-8", "replace"), "text/html; charset=utf-8")
                case {"finished": str()}:
                    progress.finished = True

    def _url(self, name: str) -> str:
        return f"http://pydoc.localhost/{self.label.removeprefix('pydoc-')}/{name}.html"


@dataclass(slots=True)
class _Progress:
    """The modules that child interpreters have finished, skipped and begun so far."""

    done: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)
    working_on: str | None = None
    problem: str = ""
    finished: bool = False


def _forward(output: IO[str], lines: "queue.SimpleQueue[str]") -> None:
    """Copy lines to a queue, on which reads can time out; an empty line marks the end."""
    with suppress(ValueError):  # the pipe is closed after the child was killed
        for line in output:
            lines.put(line)
    lines.put("")
