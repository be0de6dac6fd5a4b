"""Plugins that are installed for one test only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from made_up import Install
from toolbox.plugin_manager import use


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a made-up distribution of one module; everything is as before when the test ends."""
    monkeypatch.delenv("TOOLBOX_STRICT")
    modules = set(sys.modules)

    def installed(plugin: str, source: str, *, distribution: str | None = None, version: str = "1.0") -> None:
        name = distribution or plugin
        site = tmp_path / name
        info = site / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (site / f"{name}_module.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[toolbox.plugins]\n{plugin} = {name}_module\n")
        monkeypatch.syspath_prepend(str(site))

    yield installed
    use(None)
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]
