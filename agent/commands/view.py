"""`webgpt view`: a benchmark or a file of episodes as pages to look at."""

import sys
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console
from tyro.conf import Positional, arg

from agent.viewer.material import read_material
from agent.viewer.site import write_site


@dataclass(frozen=True, slots=True)
class View:
    """Make pages to look at: the figures, every question, every episode step by step.

    They are one folder of static HTML that needs no server and no network: open its index.html, or send the folder to
    somebody. The path of index.html is printed on stdout.
    """

    source: Annotated[Path, Positional, arg(metavar="DIR|FILE")]
    """The folder that `webgpt bench` wrote, finished or not, or a file of episodes (`webgpt ask --save FILE`)."""
    out: Annotated[Path | None, arg(metavar="DIR")] = None
    """Folder of the pages. None: `view` in the benchmark's folder, or beside a file, named after it."""
    open: bool = False
    """Open the pages in a browser."""

    def run(self) -> int:
        """Write the pages and print where they are."""
        material = read_material(self.source)
        console = Console(stderr=True)
        with console.status("") as status:

            def on_episode(number: int) -> None:
                if number % 50 == 0:
                    status.update(f"{number:,} episodes")

            page = write_site(material, self.out or self._default_out(), on_episode=on_episode)
        print(page)
        sys.stdout.flush()
        if self.open:
            webbrowser.open(page.resolve().as_uri())
        return 0

    def _default_out(self) -> Path:
        return self.source / "view" if self.source.is_dir() else self.source.with_name(f"{self.source.stem}-view")
