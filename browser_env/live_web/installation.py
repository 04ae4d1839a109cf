"""Search for an installed Chromium or Chrome, and the check that Playwright can use it."""

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from browser_env.errors import UsageError

PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
"""Names of the program on PATH, in order of preference."""
PATHS: Final = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
"""Usual paths on systems that do not put applications on PATH."""
MISSING: Final = (
    "no Chromium or Chrome is installed, which pages drawn by scripts need: install one (Debian and Ubuntu: "
    "apt install chromium), or do without them by --browser never"
)
"""Message that says how to install a browser; also part of error pages."""


def find_chromium() -> Path | None:
    """Path of an installed Chromium or Chrome; None if there is none."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    return Path(program) if program else next((path for path in map(Path, PATHS) if path.is_file()), None)


def is_installed() -> bool:
    """Whether a browser and Playwright are installed."""
    return find_spec("playwright") is not None and find_chromium() is not None


def require_chromium() -> Path:
    """Path of an installed Chromium or Chrome.

    Raises:
        UsageError: The browser or Playwright is not installed; the message says how to install it.
    """
    if find_spec("playwright") is None:
        raise UsageError("pages drawn by scripts need Playwright: make install EXTRAS=web, or use --browser never")
    if (path := find_chromium()) is None:
        raise UsageError(MISSING)
    return path
