"""Lays one mapping over another and keeps account of which file wrote what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from toolbox.config.values import show
from toolbox.io.errors import ConfigError

_RESERVED = re.compile(r"_\w*_")


@dataclass
class Layer:
    """A mapping, and for the dotted path of every value in it (not those inside lists) the file that wrote it."""

    data: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)


def written(data: Mapping[str, Any], file: str) -> Layer:
    """Make a layer of what one file (or the command line) wrote, after refusing reserved keys."""
    refuse_reserved_keys(data, file)
    layer = Layer(dict(data))
    record(layer.data, "", file, layer.sources)
    return layer


def lay_over(base: Layer, child: Layer) -> Layer:
    """Return `base` with `child` over it: mappings merge key by key, everything else is the child's.

    A mapping of the child that holds `_delete_: true` replaces the base's instead of merging with it; the mark itself
    is dropped everywhere. Neither argument is changed, and the result shares nothing with them.
    """
    sources: dict[str, str] = {}
    return Layer(_merge(base.data, child.data, "", base.sources, child.sources, sources), sources)


def conflicts(first: Mapping[str, Any], second: Mapping[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Paths at which two mappings hold different values that are not both mappings."""
    found: list[tuple[str, ...]] = []
    for key in first:
        if key not in second:
            continue
        a, b = first[key], second[key]
        if isinstance(a, dict) and isinstance(b, dict):
            found += conflicts(a, b, (*path, key))
        elif repr(a) != repr(b):  # repr tells 1 from 1.0 and True
            found.append((*path, key))
    return found


def settles(child: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    """Whether laying `child` over something decides the value at `path`, whatever was there."""
    value: Any = child
    for key in path:
        if key not in value:
            return False
        value = value[key]
        if not isinstance(value, dict) or "_delete_" in value:
            return True
    return False


def refuse_reserved_keys(value: Any, file: str, path: str = "", *, in_list: bool = False) -> None:
    """Refuse keys like `_scope_`, which steer mmengine, and `_base_` and `_delete_` where they have no meaning."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            refuse_reserved_keys(item, file, f"{path}.{index}", in_list=True)
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        here = f"{path}.{key}" if path else key
        if key == "_delete_":
            if item is not True:
                raise ConfigError(f"wants true, got {show(item)}; leave it out to merge", file=file, key=here)
            if in_list:
                raise ConfigError("has nothing to delete in a list; a list replaces the base's", file=file, key=here)
            if not path:
                raise ConfigError("at the top would delete every base; leave out _base_ instead", file=file, key=here)
        elif key == "_base_":
            raise ConfigError("stands only at the top of a file", file=file, key=here)
        elif _RESERVED.fullmatch(key):
            raise ConfigError(f"'{key}' is reserved; a config may hold _base_ and _delete_", file=file, key=here)
        refuse_reserved_keys(item, file, here, in_list=in_list)


def copied(value: Any) -> Any:
    """Copy plain data, `_delete_` marks left out. Unlike `copy.deepcopy`, two uses of one dict become two dicts."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items() if key != "_delete_"}
    return [copied(item) for item in value] if isinstance(value, list) else value


def record(value: Any, path: str, file: str, sources: dict[str, str]) -> None:
    """Note in `sources` that `file` wrote `value`, at `path`, and every value below it."""
    if path:
        sources[path] = file
    if isinstance(value, dict):
        for key, item in value.items():
            record(item, f"{path}.{key}" if path else key, file, sources)


def _merge(
    base: Mapping[str, Any],
    child: Mapping[str, Any],
    path: str,
    base_sources: Mapping[str, str],
    child_sources: Mapping[str, str],
    sources: dict[str, str],
) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for key in [*base, *(key for key in child if key not in base and key != "_delete_")]:
        here = f"{path}.{key}" if path else key
        if key not in child:
            merged[key] = copied(base[key])
            _copy_record(base[key], here, base_sources, sources)
            continue
        value, below = child[key], base.get(key)
        if isinstance(value, dict):
            keep = below if isinstance(below, dict) and "_delete_" not in value else None
            sources[here] = (child_sources if keep is None else base_sources)[here]
            merged[key] = _merge(keep or {}, value, here, base_sources, child_sources, sources)
        else:
            sources[here] = child_sources[here]
            merged[key] = copied(value)
    return merged


def _copy_record(value: Any, path: str, old: Mapping[str, str], new: dict[str, str]) -> None:
    new[path] = old[path]
    if isinstance(value, dict):
        for key, item in value.items():
            _copy_record(item, f"{path}.{key}", old, new)
