"""`webgpt view`: write a benchmark or a file of episodes as HTML pages."""

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
    """Make HTML pages of a benchmark or of episodes: the metrics, every question, every episode step by step.

    The pages are a folder of static files that need no server and no network: open its index.html, or send the folder to
    somebody. The path of index.html is printed on stdout.

    Exit codes: 0 done, 1 failure, 2 usage, 130 interrupted.
    """

    source: Annotated[Path, Positional, arg(metavar="DIR|FILE")]
    """Results folder of `webgpt bench`, complete or not, or a file of episodes (`webgpt ask --save FILE`)."""
    out: Annotated[Path | None, arg(metavar="DIR")] = None
    """Output folder. Default: `view` inside a results folder; for a file, a folder beside it named FILE-view."""
    open: bool = False
    """Open the pages in the browser."""

    def run(self) -> int:
        """Write the pages and print the path of index.html."""
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
