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
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pluggy

import toolbox
from toolbox.io.errors import UserError, did_you_mean
from toolbox.plugins import hookspecs
from toolbox.plugins.error_line import one_line
from toolbox.plugins.versions import ATTRIBUTE, Misfit, demand, fits, refuse_misfit, source_of, written_requirement

GROUP = "toolbox.plugins"
BUILT_IN = "gan-toolbox"
_FILE_MODULE = "toolbox_plugin_"
MUST_WORK = ("config_loaded", "model_built")
"""Hooks in which a failing plugin stops the run: a config half changed would train something else than was written."""


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


class PluginWarning(UserWarning):
    """A plugin that may fail has failed; everything else goes on."""


class PluginManager:
    """The plugins of one process.

    `wanted` are `-p` values: a plugin's name, a version of it (`NAME>=1.0`), `no:NAME`, a module, or a .py file.
    `needed` are a config's `plugins`: names of plugins that must be there, with versions where wanted, or `no:NAME`.
    Nothing is ever imported because a config names it.
    """

    def __init__(self, wanted: Iterable[str] = (), *, needed: Iterable[str] = (), discover: bool = True) -> None:
        self.pluggy = pluggy.PluginManager("toolbox")
        self.pluggy.add_hookspecs(hookspecs)
        self.plugins: dict[str, Plugin] = {}
        wanted, needed = list(wanted), list(needed)
        from_environment = [item.strip() for item in os.environ.get("TOOLBOX_PLUGINS", "").split(",") if item.strip()]
        asked = [*wanted, *needed, *from_environment]
        self.blocked = {item.removeprefix("no:") for item in asked if item.startswith("no:")}
        self._strict = os.environ.get("TOOLBOX_STRICT", "") not in ("", "0")
        if discover:
            for entry_point in sorted(entry_points(group=GROUP), key=lambda e: (not _built_in(e), e.name, e.value)):
                self._load_entry_point(entry_point)
        for item in [*from_environment, *wanted]:
            if not item.startswith("no:"):
                self._load_named(item)
        unknown = self.blocked - set(self.plugins)
        if unknown:
            name = sorted(unknown)[0]
            raise PluginError(f"-p no:{name}: there is no plugin '{name}'{did_you_mean(name, self.plugins)}")
        for item in needed:
            if not item.startswith("no:"):
                self._require(item)

    def _load_entry_point(self, entry_point: EntryPoint) -> None:
        plugin = Plugin(entry_point.name, *_distribution(entry_point))
        other = self.plugins.get(plugin.name)
        if other is None:
            file = None if _built_in(entry_point) else source_of(entry_point.value.partition(":")[0].strip())
            self._load(plugin, entry_point.load, file, must_work=_built_in(entry_point))
        elif other.distribution != plugin.distribution and not other.blocked:
            # the same distribution is one package seen twice, in the checkout and in site-packages
            raise PluginError(
                f"two packages call a plugin '{plugin.name}': {other} and {plugin}; "
                f"uninstall one, or block both with -p no:{plugin.name}"
            )

    def _load_named(self, item: str) -> None:
        if demand(item)[0] in self.plugins or demand(item)[1]:
            self._require(item)
        elif item.endswith(".py"):
            path = Path(item).resolve()
            if not path.is_file():
                raise PluginError(f"-p {item}: there is no such file")
            if self._is_new(path):
                self._load(Plugin(path.stem, item, ""), lambda: import_file(path), path, must_work=True)
        elif _is_module(item):
            if self._is_new(item):
                load = lambda: importlib.import_module(item)  # noqa: E731
                self._load(Plugin(item, item, ""), load, source_of(item), must_work=True)
        else:
            raise PluginError(
                f"-p {item}: no plugin, module or .py file of that name{did_you_mean(item, self.plugins)}"
            )

    def _is_new(self, module: Path | str) -> bool:
        """Whether no plugin is this file or this module; naming one twice does no harm."""
        attribute = "__file__" if isinstance(module, Path) else "__name__"
        return str(module) not in [getattr(loaded, attribute, None) for loaded in self.pluggy.get_plugins()]

    def _require(self, item: str) -> None:
        """Raise unless the plugin that was asked for works, in the version asked for (or is left out by -p no:)."""
        name, wanted = demand(item)
        plugin = self.plugins.get(name)
        if plugin is None:
            raise PluginError(f"plugin '{name}' is needed and not installed{did_you_mean(name, self.plugins)}")
        if plugin.error:
            raise PluginError(f"plugin '{name}' ({plugin}) is needed and does not load: {plugin.error}")
        if not plugin.blocked and not fits(plugin.version, wanted):
            there = f"{plugin} is installed" if plugin.version else f"{plugin} has no version"
            raise PluginError(
                f"plugin '{name}' is needed as {wanted}, and {there}; pip install '{plugin.distribution}{wanted}'"
            )

    def _load(self, plugin: Plugin, load: Callable[[], Any], file: Path | None, *, must_work: bool) -> None:
        if plugin.name in self.plugins and not self.plugins[plugin.name].blocked:
            raise PluginError(f"plugin '{plugin.name}' is loaded twice: {self.plugins[plugin.name]} and {plugin}")
        self.plugins[plugin.name] = plugin
        if plugin.name in self.blocked:
            plugin.blocked = True
            return
        try:
            refuse_misfit(written_requirement(file), toolbox.__version__)
            module = load()
            refuse_misfit(getattr(module, ATTRIBUTE, None), toolbox.__version__)
            self.pluggy.register(module, name=plugin.name)
            plugin.hooks = self._hooks_of(module)
        except (Exception, SystemExit) as error:
            plugin.error = str(error) if isinstance(error, Misfit) else one_line(error)
            if self.pluggy.has_plugin(plugin.name):
                self.pluggy.unregister(name=plugin.name)
            if must_work or self._strict:
                raise PluginError(f"plugin '{plugin.name}' ({plugin}) does not load: {plugin.error}") from error
            message = f"plugin '{plugin.name}' ({plugin}) does not load and is left out: {plugin.error}"
            warnings.warn(message, PluginWarning, stacklevel=2)

    def _hooks_of(self, module: Any) -> list[str]:
        """Names of the hooks that a plugin implements; a misspelt one, or one without its mark, is an error."""
        known = [name for name in vars(hookspecs) if hasattr(getattr(hookspecs, name), "toolbox_spec")]
        found = sorted(caller.name for caller in self.pluggy.get_hookcallers(module) or ())
        for name in found:
            if name not in known:
                raise AttributeError(f"there is no hook '{name}'{did_you_mean(name, known)}")
        for name in known:
            if hasattr(module, name) and name not in found:
                raise AttributeError(f"{name} is not marked as a hook; write @hookimpl above it")
        return found

    def call(self, hook: str, **arguments: Any) -> None:
        """Call a hook of every plugin; one that raises is recorded and the others go on (but see `MUST_WORK`)."""
        for plugin, function in self.implementations(hook):
            self._call(plugin, hook, function, arguments)

    def implementations(self, hook: str) -> list[tuple[Plugin, Any]]:
        """Every plugin that implements `hook`, with its function, built-ins first."""
        module_names = {id(module): name for name, module in self.pluggy.list_name_plugin()}
        found = [
            (self.plugins[module_names[id(implementation.plugin)]], implementation.function)
            for implementation in getattr(self.pluggy.hook, hook).get_hookimpls()
        ]
        order = list(self.plugins)
        return sorted(found, key=lambda pair: order.index(pair[0].name))

    def register_from(self, hook: str, register: Any) -> None:
        """Let every plugin register through `hook`; one that raises is recorded and the others go on."""
        for plugin, function in self.implementations(hook):
            own = lambda name, component, plugin=plugin: register(plugin, name, component)  # noqa: E731
            self._call(plugin, hook, function, {"register": own})

    def _call(self, plugin: Plugin, hook: str, function: Any, arguments: dict[str, Any]) -> None:
        known = inspect.signature(function).parameters  # an implementation may take fewer than the hook gives
        try:
            function(**{name: value for name, value in arguments.items() if name in known})
        except (UserError, Warning):  # a warning is raised where Python was told to (-W error)
            raise
        except Exception as error:
            plugin.error = f"{hook}: {one_line(error)}"
            message = f"plugin '{plugin.name}' ({plugin}) fails in {plugin.error}"
            if self._strict or plugin.distribution == BUILT_IN or hook in MUST_WORK:
                raise PluginError(f"{message}; go on without it by -p no:{plugin.name}") from error
            warnings.warn(message, PluginWarning, stacklevel=3)

    def failures(self) -> list[Plugin]:
        """Plugins that are installed but do not work."""
        return [plugin for plugin in self.plugins.values() if plugin.error]

    def files(self) -> list[Path]:
        """Plugins that are files of their own: no other process can import them by their modules' names."""
        modules: list[Any] = [module for _, module in self.pluggy.list_name_plugin()]
        return [Path(str(module.__file__)) for module in modules if module.__name__.startswith(_FILE_MODULE)]

    def versions(self) -> dict[str, str]:
        """Name and version of every plugin that was loaded, for reports and checkpoints."""
        loaded = {name for name, _ in self.pluggy.list_name_plugin()}
        return {name: str(plugin) for name, plugin in self.plugins.items() if name in loaded}


_current: PluginManager | None = None


def manager() -> PluginManager:
    """The plugins of this process, discovered on first use."""
    global _current
    if _current is None:
        _current = PluginManager()
    return _current


def failure_of(call: Callable[[], Any]) -> Exception | None:
    """Run a plugin author's code, which may raise anything; returns what it raised."""
    try:
        call()
    except Exception as error:
        return error
    return None


def use(plugins: PluginManager | None) -> None:
    """Make `plugins` those of this process; every registry forgets what it knew. None discovers afresh."""
    global _current
    _current = plugins
    registry = sys.modules.get("toolbox.plugins.registry")
    if registry is not None:
        registry.forget()


def _distribution(entry_point: EntryPoint) -> tuple[str, str]:
    """Name and version of the package behind an entry point; question marks where its metadata is damaged."""
    return _named(entry_point.dist)


@lru_cache(maxsize=256)
def _named(distribution: Distribution | None) -> tuple[str, str]:
    """The same of a package, whose metadata is read once for all its entry points: ours holds the README."""
    try:
        metadata = distribution.metadata if distribution else {}
        return str(metadata["Name"] or "?"), str(metadata["Version"] or "?")
    except Exception:  # half of an uninstalled package; what is raised differs between Python's versions
        return "?", "?"


def _built_in(entry_point: EntryPoint) -> bool:
    return _distribution(entry_point)[0] == BUILT_IN


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name.partition(".")[0]) is not None
    except ValueError:  # a name such as "" or ".x"
        return False


def import_file(path: Path) -> Any:
    """Import a plugin's file under the name that it has in every process of a run."""
    spec = importlib.util.spec_from_file_location(f"{_FILE_MODULE}{path.stem}", path)
    assert spec is not None and spec.loader is not None  # a .py path always has a loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
