"""Reads YAML as plain data and nothing else: no tag is acted on, no object is built, no name is imported.

PyYAML only parses here; the values are built below, from text, lists and mappings. The rules for scalars are those of
YAML 1.2 where YAML 1.1 surprises (`1e-4` is a number, a date is text), and what the two read differently is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from toolbox.io.errors import ConfigError

MAX_BYTES = 1_000_000
MAX_DEPTH = 50
MAX_KEY = 200
MAX_NODES = 50_000
"""Keys and values in one file after aliases are written out; an alias bomb of 300 bytes has billions."""

_CORE = "tag:yaml.org,2002:"
_AMBIGUOUS = "tag:gan-toolbox,2025:ambiguous"
_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_SIGN_OR_DIGIT = "-+0123456789"
# What a scalar without quotes means, first match first: kind, pattern, the characters it can begin with.
_PLAIN_SCALARS = [
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("ambiguous", r"(?i:yes|no|on|off)|None|[-+]?0[0-9_]+", [*"yYnNoO", *_SIGN_OR_DIGIT]),
    ("int", rf"[-+]?(?:{_DIGITS}|0b[01]+|0o[0-7]+|0x[0-9a-fA-F]+)", list(_SIGN_OR_DIGIT)),
    (
        "float",
        rf"[-+]?(?:(?:{_DIGITS}\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|{_DIGITS}[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))"
        r"|\.(?:nan|NaN|NAN)",
        [*_SIGN_OR_DIGIT, "."],
    ),
    ("merge", r"<<", ["<"]),
]


_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
"""What no setting holds."""
_BACKSLASH = "write a path as C:/Users/me/photos, or in single quotes"

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML was built with it


class StrictLoader(_Parser):
    """PyYAML's parser with our rules for plain scalars; `parse_yaml` never calls its constructors."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


for _kind, _pattern, _first in _PLAIN_SCALARS:
    _tag = _AMBIGUOUS if _kind == "ambiguous" else _CORE + _kind
    StrictLoader.add_implicit_resolver(_tag, re.compile(f"(?:{_pattern})$"), _first)


def parse_yaml(text: str, file: str) -> dict[str, Any]:
    """Parse the text of a config to a plain dict with text keys; anything doubtful is a ConfigError naming `file`.

    Values are dict, list, str, int, float, bool and None. Aliases become copies, so that changing one value never
    changes another. Merge keys (`<<`) work. Refused: tags, duplicate keys, keys that are not text, more than one
    document, and more than 1 MB, 50 levels or 50,000 values.
    """
    data = parse_value(text, file)
    if data is None:
        raise ConfigError("is empty; a config is a mapping: write `key: value` lines", file=file)
    if not isinstance(data, dict):
        kind = "list" if isinstance(data, list) else "single value"
        raise ConfigError(f"holds a {kind}; a config is a mapping: write `key: value` lines", file=file)
    return data


def parse_value(text: str, file: str, key: str | None = None) -> Any:
    """Parse one YAML value of any kind, under the same rules; errors name `file` and `key`."""
    try:
        if len(text.encode()) > MAX_BYTES:
            raise _Refused(f"has more than {MAX_BYTES:,} bytes; a config holds settings, keep data in files of its own")
        _check_extent(yaml.parse(text, Loader=StrictLoader))
        node = yaml.compose(text, Loader=StrictLoader)
        return None if node is None else _build(node)
    except _Refused as error:
        raise ConfigError(str(error), file=file, key=key) from None
    except yaml.MarkedYAMLError as error:
        raise ConfigError(_describe(error, text), file=file, key=key) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"is not readable as YAML: {_one_line(str(error))}", file=file, key=key) from None


class _Refused(Exception):
    """Why this YAML is not read, without the file's name."""


@dataclass
class _Extent:
    """How much an open collection holds so far, aliases written out."""

    anchor: str | None
    nodes: int = 1
    height: int = 1


def _check_extent(events: Iterator[Any]) -> None:
    """Refuse deep nesting and alias bombs from the parser's events, before anything recursive sees the document."""
    open_collections: list[_Extent] = []
    anchors: dict[str, _Extent] = {}
    total = 0
    for event in events:
        line = event.start_mark.line + 1
        if getattr(event, "anchor", None) in anchors and not isinstance(event, yaml.AliasEvent):
            raise _Refused(f"line {line}: anchor &{_shorten(event.anchor)} is set twice; give them two names")
        if isinstance(event, yaml.CollectionStartEvent):
            open_collections.append(_Extent(event.anchor))
            done = None
        elif isinstance(event, yaml.CollectionEndEvent):
            done = open_collections.pop()
        elif isinstance(event, yaml.ScalarEvent):
            done = _Extent(event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchors:
                raise _Refused(f"line {line}: alias *{_shorten(event.anchor)} stands before the end of what it names")
            done = _Extent(None, anchors[event.anchor].nodes, anchors[event.anchor].height)
        else:
            continue
        height = done.height if done else 1
        if len(open_collections) + height - (0 if done else 1) > MAX_DEPTH:
            raise _Refused(f"line {line}: nested more than {MAX_DEPTH} levels deep")
        if done:
            if done.anchor:
                anchors[done.anchor] = done
            if open_collections:
                parent = open_collections[-1]
                parent.nodes += done.nodes
                parent.height = max(parent.height, done.height + 1)
            # A closed collection's values were counted one by one; an alias counts for all that it stands for.
            total += 1 if isinstance(event, yaml.CollectionEndEvent) else done.nodes
        if total > MAX_NODES:
            raise _Refused(f"line {line}: more than {MAX_NODES:,} values, aliases written out")


def _build(node: yaml.Node) -> Any:
    """Turn a parsed node into plain data. Depth and size are known to be small."""
    kind = node.tag.removeprefix(_CORE)
    if isinstance(node, yaml.MappingNode) and kind == "map":
        return _mapping(node)
    if isinstance(node, yaml.SequenceNode) and kind == "seq":
        return [_build(item) for item in node.value]
    if isinstance(node, yaml.ScalarNode):
        if node.tag == _AMBIGUOUS:
            raise _Refused(f"line {_line(node)}: {_ambiguous(node.value)}")
        if node.style == '"' and _spoilt(node.value):
            raise _Refused(f"line {_line(node)}: a backslash in double quotes is an escape; {_BACKSLASH}")
        if kind in _SCALARS:
            try:
                return _SCALARS[kind](node.value)
            except (ValueError, KeyError):
                raise _Refused(f"line {_line(node)}: {_shorten(node.value)} is not readable as {kind}") from None
    tag = _shorten(node.tag.replace(_CORE, "!!"))
    raise _Refused(f"line {_line(node)}: tag {tag} is refused; only plain YAML is read; no code runs")


def _spoilt(text: str) -> bool:
    """Whether a backslash was taken for an escape: the tab of "photos\\train", the line break of "C:\\new"."""
    return bool(_CONTROL.search(text) or (_DRIVE.match(text) and not text.isprintable()))


def _mapping(node: yaml.MappingNode) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise _Refused(
                f"line {_line(key_node)}: a key is text, not a collection; quote a template: '{{{{ fileDirname }}}}'"
            )
        key, kind = key_node.value, key_node.tag.removeprefix(_CORE)
        merging = kind == "merge"
        if len(key) > MAX_KEY:
            raise _Refused(f"line {_line(key_node)}: key {_shorten(key)} is longer than {MAX_KEY} characters")
        if not merging and kind != "str":
            if key_node.tag != _AMBIGUOUS and kind not in _SCALARS:
                _build(key_node)  # refuses the tag
            raise _Refused(f"line {_line(key_node)}: key {key} is not text; write it in quotes: '{key}'")
        if not key.strip():
            raise _Refused(f"line {_line(key_node)}: a key is empty text; give it a name, or remove the line")
        if not key.isprintable():
            what = "a line break, a control character or a space that is no plain one"
            raise _Refused(f"line {_line(key_node)}: key {_shorten(key)} holds {what}")
        if key in own or (merging and merged):
            raise _Refused(f"line {_line(key_node)}: key '{key}' is written twice in one mapping; keep one")
        if merging:
            merged = _merge_key(value_node)
        else:
            own[key] = _build(value_node)
    return {**merged, **own}


def _merge_key(node: yaml.Node) -> dict[str, Any]:
    """The value of `<<`: a mapping, or a list of mappings of which the earlier wins."""
    value = _build(node)
    mappings = value if isinstance(value, list) else [value]
    if not all(isinstance(mapping, dict) for mapping in mappings):
        raise _Refused(f"line {_line(node)}: '<<' wants a mapping or a list of mappings")
    return {key: item for mapping in reversed(mappings) for key, item in mapping.items()}


def _int(value: str) -> int:
    if len(value) > 100:  # Python's own limit differs between versions
        raise ValueError("too long for an int")
    return int(value, 0)


def _number(value: str) -> float:
    number = float(value.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))
    if abs(number) == float("inf") and "inf" not in value.lower():
        raise ValueError("too large for a float")
    return number


_SCALARS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": _int,
    "float": _number,
    "bool": lambda value: {"true": True, "false": False}[value.lower()],
    "null": lambda value: None,
}


def _ambiguous(value: str) -> str:
    if value == "None":
        return f"{value} is ambiguous: write null, or 'None' in quotes for the text"
    if value.lower() in ("yes", "no", "on", "off"):
        meant = "true" if value.lower() in ("yes", "on") else "false"
        return f"{value} is ambiguous: write {meant}, or '{value}' in quotes for the text"
    decimal = value.replace("_", "").lstrip("+-0") or "0"
    return f"{_shorten(value)} is ambiguous: write {_shorten(decimal)} without leading zeros, or in quotes for the text"


def _describe(error: yaml.MarkedYAMLError, text: str) -> str:
    mark = error.problem_mark or error.context_mark
    problem = _one_line(error.problem or str(error))
    if mark is None:
        return f"is not readable as YAML: {problem}"
    lines = text.splitlines() or [""]
    line = min(mark.line, len(lines) - 1)  # what is never closed is noticed one line after the last
    written = lines[line]
    hint = ""
    if "hexdec" in problem or "escape" in problem:
        problem, hint = "a backslash in double quotes is an escape", f"; {_BACKSLASH}"
    elif re.search(r"""(?<!['"{])\{\{""", written):
        hint = "; quote a template: '{{ fileDirname }}/…'"
    elif "\t" in written:
        hint = "; indent with spaces, not tabs"
    elif found := re.search(r"[\u00a0\u2000-\u200b\u202f\u3000]", written):
        hint = f"; it holds a space that is no plain one (U+{ord(found[0]):04X})"
    elif "cannot start" in problem or "entries are not" in problem or "keys are not" in problem:
        hint = "; a value that begins so is put in 'quotes'"
    elif "mapping values are not allowed" in problem or "expected ':'" in problem:
        hint = "; is it indented too far, or does the line above lack its ': '?"
    elif "expected" in problem:
        hint = "; is it indented like its neighbours?"
    return f"line {line + 1}: is not readable as YAML: {problem}{hint}"


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]


def _shorten(text: str) -> str:
    shown = text if text.isprintable() else repr(text)
    return shown if len(shown) <= 80 else f"{shown[:77]}…"
