"""`--cfg-options a.b.0.c=value`: single settings changed from the command line, by the rules of the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from toolbox.config.merge import Layer, copied, lay_over, record, refuse_reserved_keys, written
from toolbox.config.values import show
from toolbox.config.yaml_loader import MAX_DEPTH, parse_value
from toolbox.io.errors import ConfigError

COMMAND_LINE = "--cfg-options"
"""Named as the file of everything that an option wrote."""


def parse_option(option: str) -> tuple[str, Any]:
    """Split `a.b.0.c=value` into its dotted path and its value, read as YAML.

    `1e-4` is a float, `null` None, `true` a bool, `[1, 2]` a list, `{a: 1}` a mapping, `'5'` and `word` text.
    """
    path, equals, text = option.partition("=")
    path, text = path.strip(), text.strip()
    if not equals:
        raise ConfigError(f"{show(option)} has no '='; write path.to.key=value", file=COMMAND_LINE)
    _segments(path)
    if not text:
        raise ConfigError("has no value; write null for none or '' for empty text", file=COMMAND_LINE, key=path)
    value = parse_value(text, COMMAND_LINE, path)
    if isinstance(value, (dict, list)) and text[0] not in "{[":
        message = f"got {show(text)}; quote text that holds ': ' or '- ', or write {{a: 1}} or [1, 2]"
        raise ConfigError(message, file=COMMAND_LINE, key=path)
    return path, value


def apply_options(data: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of `data` with every option (dotted path to value) applied, in order.

    A number in a path picks an item of a list. Keys that are missing are made; a mapping is merged with the one in
    place, as a file's would be, unless it holds `_delete_: true`.
    """
    return with_options(Layer(dict(data)), options).data


def with_options(layer: Layer, options: Mapping[str, Any], file: str = COMMAND_LINE) -> Layer:
    """Apply options to a layer, noting that what they wrote comes from `file`, by default the command line."""
    data, sources = copied(layer.data), dict(layer.sources)
    for path, value in options.items():
        segments = _segments(path, file)
        refuse_reserved_keys(value, file, path)
        existing, old = _walk(data, segments, path, file)
        for depth in range(existing + 1, len(segments)):
            sources[".".join(segments[:depth])] = file
        if not (isinstance(old, dict) and _merges(value)):
            sources = {known: file for known, file in sources.items() if not known.startswith(f"{path}.")}
        record(value, path, file, sources)
        data = _changed(data, segments, value)
    return Layer(data, sources)


def _segments(path: str, file: str = COMMAND_LINE) -> list[str]:
    """Split a path and refuse what no file could hold either."""
    segments = path.split(".")
    if not all(segment and segment.isprintable() and segment == segment.strip() for segment in segments):
        raise ConfigError(f"{show(path)} is no path; write names with dots between: a.b.0.c", file=file)
    if len(segments) > MAX_DEPTH:
        raise ConfigError(f"{show(path)} is more than {MAX_DEPTH} levels deep", file=file)
    if "_delete_" in segments:
        message = "write {_delete_: true, …} as the value of the mapping to replace"
        raise ConfigError(message, file=file, key=path)
    for depth, segment in enumerate(segments):
        refuse_reserved_keys({segment: None}, file, ".".join(segments[:depth]))
    return segments


def _walk(data: Mapping[str, Any], segments: Sequence[str], path: str, file: str) -> tuple[int, Any]:
    """Follow a path as far as it exists: how many segments do, and the last value. Says where it cannot go on."""
    place: Any = data
    for depth, segment in enumerate(segments):
        parent = ".".join(segments[:depth]) or "the config"
        is_number = segment.isascii() and segment.isdigit()
        problem = ""
        if isinstance(place, list):
            if not is_number:
                problem = f"{parent} is a list of {len(place)}; pick an item by its number, not '{segment}'"
            elif len(segment) > 9 or int(segment) >= len(place):
                problem = f"{parent} has no item {segment}; it has {len(place)}, counted from 0"
        elif place is not None and not isinstance(place, dict):
            problem = f"{parent} is {show(place)} and holds no '{segment}'"
        elif is_number and segment not in (place or {}):
            problem = f"{parent} is {'a mapping' if place else 'empty'}, not a list, and has no item {segment}"
        if problem:
            raise ConfigError(problem, file=file, key=path)
        if place is None or (isinstance(place, dict) and segment not in place):
            # What is missing would be made; a number further on could only pick from a list that is not there.
            for missing, later in enumerate(segments[depth + 1 :], depth + 1):
                if later.isascii() and later.isdigit():
                    made = ".".join(segments[:missing])
                    raise ConfigError(f"{made} is not there, so it has no item {later}", file=file, key=path)
            return depth, None
        place = place[int(segment)] if isinstance(place, list) else place[segment]
    return len(segments), place


def _changed(place: Any, segments: Sequence[str], value: Any) -> Any:
    """A value with what lies at `segments` below it set; only what is changed is new."""
    if segments:
        first, rest = segments[0], segments[1:]
        if isinstance(place, list):
            return [_changed(item, rest, value) if i == int(first) else item for i, item in enumerate(place)]
        place = place or {}
        return {**place, first: _changed(place.get(first), rest, value)}
    if isinstance(value, dict):
        keep = place if isinstance(place, dict) and _merges(value) else {}
        wrapped = lay_over(written({"value": keep}, ""), written({"value": value}, ""))
        return wrapped.data["value"]
    return copied(value)


def _merges(value: Any) -> bool:
    return isinstance(value, dict) and "_delete_" not in value
