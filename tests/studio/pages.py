"""What tests of the page in a browser share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from served import wait_for

Open = Callable[..., Any]
"""What opens the page: `opened(view, width=1280)`."""


def add(page: Any, *names: Path) -> None:
    """Choose pictures or films, and wait until they are there."""
    before = page.locator(".strip-list .pick").count()
    page.get_by_label("choose pictures and films").set_input_files([str(each) for each in names])
    wait_for(lambda: page.locator(".strip-list .pick").count() == before + len(names))
