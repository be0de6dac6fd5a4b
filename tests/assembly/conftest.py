"""An empty folder to work in."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder is an empty one, with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOOLBOX_CACHE", str(tmp_path / "cache"))
