"""Fixtures of the recorder's tests."""

import os

import pytest


@pytest.fixture
def no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable fsync, for tests with thousands of events."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
