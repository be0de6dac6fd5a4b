"""Plugins of others that are installed where the tests run."""

from __future__ import annotations

from importlib.metadata import entry_points


def left_out() -> str:
    """The value of TOOLBOX_PLUGINS that leaves out every plugin that is not the toolbox's: `no:a,no:b`."""
    installed = {(each.name, getattr(each.dist, "name", "")) for each in entry_points(group="toolbox.plugins")}
    ours = {name for name, distribution in installed if distribution == "gan-toolbox"}
    return ",".join(f"no:{name}" for name in sorted({name for name, _ in installed} - ours))
