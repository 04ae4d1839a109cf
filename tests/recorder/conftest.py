"""What the recorder's tests share."""

import os

import pytest


@pytest.fixture
def no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Don't wait for the disk, in tests of thousands of events that are not about it."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
