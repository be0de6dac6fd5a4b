"""Damage to bytes and to plain data: lists of changes, drawn by hypothesis in tests and by a seed in the assault."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

Change = tuple[str, int, int]
"""A kind of change, where, and what."""
BYTEWISE = ("flip", "flip", "cut", "insert", "repeat", "move", "end")
STRUCTURAL = ("replace", "replace", "delete", "rename", "add", "swap", "wrap", "repeat")
WHERE, WHAT = 100_000, 10_000


def drawn(draw: Random, kinds: Sequence[str] = BYTEWISE) -> list[Change]:
    """One change as often as several: the first that is noticed hides the others."""
    number = 1 if draw.random() < 0.5 else draw.randint(2, 4)
    return [(draw.choice(kinds), draw.randrange(WHERE), draw.randrange(WHAT + 1)) for _ in range(number)]


def scrambled(content: bytes, changes: Sequence[Change], pieces: Sequence[bytes]) -> bytes:
    """The content with some of its bytes changed; `where` is in 100,000ths of it."""
    for change, where, what in changes:
        at = where * len(content) // WHERE
        if change == "flip" and content:
            content = content[:at] + bytes([content[at] ^ (1 << what % 8)]) + content[at + 1 :]
        elif change == "cut":
            content = content[:at] + content[at + 1 + what % 40 :]
        elif change == "insert":
            content = content[:at] + pieces[what % len(pieces)] + content[at:]
        elif change == "repeat":
            content = content[:at] + content[at : at + what % 200] * 3 + content[at:]
        elif change == "move":
            other = what % (len(content) + 1)
            content = content[:at] + content[other : other + 30] + content[at + 30 :]
        elif change == "end":
            content = content[:at]
    return content


ODD: list[Any] = [
    None, True, False, -1, 0, 1, 3, 10**30, -0.5, 1e-320, 1e308, float("nan"), float("inf"), "", " ", "0", "null",
    "x" * 5000, "é\u202e\ud83d\ude00", "a.b", "a/b", "../x", "{{ fileDirname }}", "{{ x }}", "%s{0}", "[bold]", [], {},
    [[]], [None], [{}], {"type": None}, {"type": []}, {"type": {}}, {"type": "L1Loss"}, {"type": "SRGAN"},
    {"type": "os.system"}, {"type": "Vanilla", "weight": "x"}, {"": 1}, {"a.b": {"type": "L1Loss"}},
    [{"type": "L1Loss"}] * 3, [[["a"]]], {"_delete_": True}, {"_base_": "x.yaml"}, "generator", ["pixel"], "NaN",
    "1e-4", [0.5, 0.9], [1, 2, 3], list(range(300)),
]  # fmt: skip
"""What may stand where something else belongs."""
KEYS = ["type", "", "weight", "pool", "parts", "self", "a.b", "_scope_", "_delete_", "lr", "kwargs", "modle", "0", "é"]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container and key (or index) below a value."""
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield value, key
        yield from places(item)


def rearranged(data: dict[str, Any], changes: Sequence[Change]) -> dict[str, Any]:
    """Plain data with some of its places changed."""
    data = copy.deepcopy(data)
    for change, where, what in changes:
        every = list(places(data))
        if not every:
            break
        place, key = every[where % len(every)]
        other, other_key = every[what % len(every)]
        if change == "replace":
            place[key] = copy.deepcopy(ODD[what % len(ODD)])
        elif change == "delete":
            del place[key]
        elif change == "rename" and isinstance(place, dict):
            value, name = place.pop(key), (f"{key}s", str(key)[1:], *KEYS)[what % (len(KEYS) + 2)]
            place[name] = value
        elif change == "add" and isinstance(place, dict):
            place[KEYS[what % len(KEYS)]] = copy.deepcopy(ODD[where % len(ODD)])
        elif change == "swap":
            value = copy.deepcopy(place[key])
            place[key] = copy.deepcopy(other[other_key])
            other[other_key] = value
        elif change == "wrap":
            place[key] = [place[key]] if what % 2 else {"type": place[key]}
        elif change == "repeat":
            place[key] = [copy.deepcopy(place[key]) for _ in range(what % 4)]
    return data
