"""Comparison of screens with the pictures of the manual.

``WEBGPT_UPDATE_PICTURES=1`` updates the pictures. Look at them before committing them.
"""

import os
import re
from pathlib import Path

from textual.app import App
from textual.pilot import Pilot

from tests.recorder.programs import Steps, run


def compare_picture(app: App[None], steps: Steps, size: tuple[int, int], file: Path, title: str) -> None:
    """Assert that a program looks like its picture after some steps."""
    drawn = ""

    async def draw(pilot: Pilot[None]) -> None:
        nonlocal drawn
        await steps(pilot)
        await pilot.pause()
        drawn = _picture(app, title)

    run(app, draw, size)
    if os.environ.get("WEBGPT_UPDATE_PICTURES"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(drawn, "utf-8")
    assert drawn == file.read_text("utf-8"), f"{file.stem} looks different; WEBGPT_UPDATE_PICTURES=1 updates {file}"


def _picture(app: App[None], title: str) -> str:
    """Return the screen as SVG, without ids that differ between runs and without web fonts."""
    svg = app.export_screenshot(title=title)
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"terminal-\d+", "terminal", svg)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"
