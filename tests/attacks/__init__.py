"""Attacks on whatever the toolbox reads: for each kind of input a file with whole ones, their damage, and the reader.

Tests try a few cases of each kind; `tests/assault.py` tries as many as a night holds.
"""

from __future__ import annotations

from importlib import import_module

from attacks.attack import Attack

SHARES = {
    "images": 20,
    "styles": 10,
    "configs": 20,
    "grids": 10,
    "checkpoints": 20,
    "states": 1,
    "weights": 20,
    "descriptions": 10,
    "caches": 4,
    "reports": 10,
    "tables": 10,
    "names": 1,
    "special": 4,
    "bombs": 1,
    "downloads": 1,
}
"""Every kind, and how many of its cases come in one round: kinds that take long have few."""


def attack_on(kind: str) -> type[Attack]:
    """The attack of a kind: the class `Attack` in the module of that name."""
    return import_module(f"attacks.{kind}").Attack
