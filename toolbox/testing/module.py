"""What can be wrong with a plugin's module, whatever its components: hooks misspelt, an entry point missing."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path
from types import ModuleType

from toolbox.plugins import hookspecs
from toolbox.plugins.manager import GROUP, Plugin, PluginManager
from toolbox.plugins.versions import source_of

_HOOKS = [name for name in vars(hookspecs) if hasattr(getattr(hookspecs, name), "toolbox_spec")]
_PROJECT_FILES = ("pyproject.toml", "setup.cfg", "setup.py")


def module_problems(plugin: Plugin, plugins: PluginManager) -> Iterator[str]:
    """What is wrong with the module of a loaded plugin."""
    module = plugins.pluggy.get_plugin(plugin.name)
    if module is None:
        return
    yield from misspelt_hooks(module)
    if not plugin.version:  # one that -p names, not an entry point
        yield from forgotten_entry_point(plugin.name, getattr(module, "__file__", None))


def misspelt_hooks(module: ModuleType) -> Iterator[str]:
    """Functions that are no hooks, and called almost like one, or `register_…`."""
    for name, function in vars(module).items():
        own = inspect.isfunction(function) and function.__module__ == module.__name__
        if not own or name in _HOOKS or name.startswith("_"):
            continue
        close = get_close_matches(name, _HOOKS, n=1, cutoff=0.8)
        if close or name.startswith("register_"):
            meant = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(_HOOKS)}"
            yield f"'{name}' is no hook and is never called; {meant} Write @hookimpl above it; begin another's with _"


def forgotten_entry_point(module: str, file: str | None) -> Iterator[str]:
    """Where a module lies in an installed distribution, or below a project's file, that names it and no plugin.

    A single file is a plugin as it is, and may lie in a project that is about something else.
    """
    top = module.partition(".")[0]
    for name in packages_distributions().get(top, ()):
        try:
            named = distribution(name).entry_points
        except PackageNotFoundError:  # half of an uninstalled package
            continue
        if not any(entry.group == GROUP for entry in named):
            yield f"{name} is installed and has no entry point, so that only -p finds it; {_way_out(top)}"
            return
    folders = list(Path(file).resolve().parents)[:4] if file else []
    for project in (folder / each for folder in folders for each in _PROJECT_FILES):
        if project.is_file():
            text = project.read_text(encoding="utf-8", errors="replace")
            if GROUP not in text and top in text.replace("-", "_"):
                yield f"{project} has no entry point, so that only -p finds the plugin; {_way_out(top)}"
            return


def not_a_plugin(name: str) -> str:
    """What to add where somebody asks for a plugin by a name that is a module's: `; …`, or nothing."""
    file = source_of(name)
    found = list(forgotten_entry_point(name, str(file))) if file else []
    return f"; {found[0]}" if found else ""


def _way_out(top: str) -> str:
    return f'write [project.entry-points."{GROUP}"] {top} = "{top}" into its pyproject.toml, and install it again'
