"""Pictures of screens, compared with those of the manual.

``WEBGPT_UPDATE_PICTURES=1`` draws them anew; look at them before they are kept.
"""

import os
import re
from pathlib import Path

from textual.app import App
from textual.pilot import Pilot

from tests.recorder.programs import Steps, run


def compare_picture(app: App[None], steps: Steps, size: tuple[int, int], file: Path, title: str) -> None:
    """Fail if a program does not look like its picture after some steps."""
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
    assert drawn == file.read_text("utf-8"), f"{file.stem} looks different: WEBGPT_UPDATE_PICTURES=1 draws {file} anew"


def _picture(app: App[None], title: str) -> str:
    """The screen as SVG, without what differs from one run to the next, and without fonts from elsewhere."""
    svg = app.export_screenshot(title=title)
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"terminal-\d+", "terminal", svg)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"
