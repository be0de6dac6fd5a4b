"""Finds plugins, loads them one by one, and remembers what failed and why.

Plugins come from the entry-point group `toolbox.plugins` (the built-ins too), from `TOOLBOX_PLUGINS` (comma-separated
modules or files) and from `-p`. A broken third-party plugin is kept with its error and stops nothing; a broken
built-in, or any under `TOOLBOX_STRICT=1`, raises.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
import traceback
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pluggy

from toolbox import hookspecs
from toolbox.errors import UserError, did_you_mean

GROUP = "toolbox.plugins"
BUILT_IN = "gan-toolbox"


@dataclass
class Plugin:
    """One plugin: where it comes from, and either its hooks or the error that kept it out."""

    name: str
    distribution: str
    version: str
    hooks: list[str] = field(default_factory=list)
    error: str | None = None
    blocked: bool = False

    def __str__(self) -> str:
        """`my-gan 0.3`, or the name alone where there is no distribution."""
        return f"{self.distribution} {self.version}".strip()


class PluginError(UserError):
    """A plugin that must work does not."""


class PluginManager:
    """The plugins of one process. `wanted` are `-p` values: a plugin's name, `no:NAME`, a module, or a .py file."""

    def __init__(self, wanted: Iterable[str] = (), *, discover: bool = True) -> None:
        self.pluggy = pluggy.PluginManager("toolbox")
        self.pluggy.add_hookspecs(hookspecs)
        self.plugins: dict[str, Plugin] = {}
        wanted = list(wanted)
        self.blocked = {item.removeprefix("no:") for item in wanted if item.startswith("no:")}
        self._strict = os.environ.get("TOOLBOX_STRICT", "") not in ("", "0")
        if discover:
            for entry_point in sorted(entry_points(group=GROUP), key=lambda e: (not _built_in(e), e.name, e.value)):
                self._load_entry_point(entry_point)
        from_environment = [item.strip() for item in os.environ.get("TOOLBOX_PLUGINS", "").split(",") if item.strip()]
        for item in from_environment + [item for item in wanted if not item.startswith("no:")]:
            self._load_named(item)
        unknown = self.blocked - set(self.plugins)
        if unknown:
            name = sorted(unknown)[0]
            raise PluginError(f"-p no:{name}: there is no plugin '{name}'{did_you_mean(name, self.plugins)}")

    def _load_entry_point(self, entry_point: EntryPoint) -> None:
        distribution = entry_point.dist
        plugin = Plugin(
            entry_point.name,
            distribution.metadata["Name"] if distribution else "?",
            distribution.version if distribution else "",
        )
        if entry_point.name in self.plugins:
            other = self.plugins[entry_point.name]
            if (
                other.distribution == plugin.distribution
            ):  # one package seen twice, in the checkout and in site-packages
                return
            message = (
                f"two packages call a plugin '{plugin.name}': {other} and {plugin}; "
                f"uninstall one, or block both with -p no:{plugin.name}"
            )
            if plugin.name in self.blocked:
                return
            raise PluginError(message)
        self._load(plugin, entry_point.load, must_work=_built_in(entry_point))

    def _load_named(self, item: str) -> None:
        if item in self.plugins:
            return
        if item.endswith(".py"):
            path = Path(item)
            if not path.is_file():
                raise PluginError(f"-p {item}: there is no such file")
            self._load(Plugin(path.stem, str(path), ""), lambda: _import_file(path), must_work=True)
        elif importlib.util.find_spec(item.partition(".")[0]) is not None:
            self._load(Plugin(item, item, ""), lambda: importlib.import_module(item), must_work=True)
        else:
            raise PluginError(
                f"-p {item}: no plugin, module or .py file of that name{did_you_mean(item, self.plugins)}"
            )

    def _load(self, plugin: Plugin, load: Any, *, must_work: bool) -> None:
        if plugin.name in self.plugins and not self.plugins[plugin.name].blocked:
            raise PluginError(f"plugin '{plugin.name}' is loaded twice: {self.plugins[plugin.name]} and {plugin}")
        self.plugins[plugin.name] = plugin
        if plugin.name in self.blocked:
            plugin.blocked = True
            return
        try:
            module = load()
            self.pluggy.register(module, name=plugin.name)
            self.pluggy.check_pending()
            hooks = self.pluggy.get_hookcallers(module) or []
            plugin.hooks = sorted(caller.name for caller in hooks)
        except Exception as error:
            plugin.error = _one_line(error)
            if self.pluggy.has_plugin(plugin.name):
                self.pluggy.unregister(name=plugin.name)
            if must_work or self._strict:
                raise PluginError(f"plugin '{plugin.name}' ({plugin}) does not load: {plugin.error}") from error
            warnings.warn(
                f"plugin '{plugin.name}' ({plugin}) does not load and is left out: {plugin.error}", stacklevel=2
            )

    def call(self, hook: str, **arguments: Any) -> None:
        """Call a hook of every plugin."""
        getattr(self.pluggy.hook, hook)(**arguments)

    def implementations(self, hook: str) -> list[tuple[Plugin, Any]]:
        """Every plugin that implements `hook`, with its function, built-ins first."""
        module_names = {id(module): name for name, module in self.pluggy.list_name_plugin()}
        found = [
            (self.plugins[module_names[id(implementation.plugin)]], implementation.function)
            for implementation in getattr(self.pluggy.hook, hook).get_hookimpls()
        ]
        order = list(self.plugins)
        return sorted(found, key=lambda pair: order.index(pair[0].name))

    def fail(self, plugin: Plugin, error: Exception) -> None:
        """Record that a plugin failed in a hook: it is named wherever its components are missed."""
        plugin.error = _one_line(error)
        if self._strict or plugin.distribution == BUILT_IN:
            raise PluginError(f"plugin '{plugin.name}' ({plugin}) fails: {plugin.error}") from error
        warnings.warn(f"plugin '{plugin.name}' ({plugin}) fails and is left out: {plugin.error}", stacklevel=2)

    def failures(self) -> list[Plugin]:
        """Plugins that are installed but do not work."""
        return [plugin for plugin in self.plugins.values() if plugin.error]

    def versions(self) -> dict[str, str]:
        """Name and version of every working plugin, for reports and checkpoints."""
        return {name: str(p) for name, p in self.plugins.items() if not p.error and not p.blocked}

    def register_from(self, hook: str, register: Any) -> None:
        """Let every plugin register through `hook`; one that raises is recorded and the others go on."""
        for plugin, function in self.implementations(hook):
            arguments = {"register": lambda name, component, plugin=plugin: register(plugin, name, component)}
            try:
                function(**{k: v for k, v in arguments.items() if k in inspect.signature(function).parameters})
            except UserError:
                raise
            except Exception as error:
                self.fail(plugin, error)


_current: PluginManager | None = None


def manager() -> PluginManager:
    """The plugins of this process, discovered on first use."""
    global _current
    if _current is None:
        _current = PluginManager()
    return _current


def use(plugins: PluginManager | None) -> None:
    """Make `plugins` those of this process; every registry forgets what it knew. None discovers afresh."""
    global _current
    _current = plugins
    registry = sys.modules.get("toolbox.registry")
    if registry is not None:
        registry.forget()


def _built_in(entry_point: EntryPoint) -> bool:
    return entry_point.dist is not None and entry_point.dist.metadata["Name"] == BUILT_IN


def _import_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"toolbox_plugin_{path.stem}", path.resolve())
    assert spec is not None and spec.loader is not None  # a .py path always has a loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _one_line(error: Exception) -> str:
    where = traceback.extract_tb(error.__traceback__)[-1:] if error.__traceback__ else []
    place = f" ({Path(where[0].filename).name}:{where[0].lineno})" if where else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{place}"
