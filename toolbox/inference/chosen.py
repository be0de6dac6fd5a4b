"""What a user chooses of an output: a picture of a style, how much of it, a seed to draw one by, a label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toolbox.io.errors import UserError, did_you_mean


def chosen_of(
    style: str | Path | None = None, strength: float | None = None, seed: int | None = None, sets: Sequence[str] = ()
) -> dict[str, Any]:
    """The conditions that `--style`, `--strength`, `--seed` and `--set NAME=VALUE` name; empty where there are none.

    Raises:
        UserError: a value is out of range, or a seed is given beside a picture, or something twice.
    """
    if strength is not None and not 0 <= strength <= 1:
        raise UserError(f"--strength {strength:g}: must be from 0, the picture's own style, to 1")
    if seed is not None and not 0 <= seed < 2**63:
        raise UserError(f"--seed {seed}: must be 0 or more, and below 2^63")
    if seed is not None and style is not None:
        raise UserError(f"--seed {seed}: is of a random style, and --style names one; leave one of them out")
    named = {"style": style, "strength": strength, "seed": seed}
    chosen: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    for each in sets:
        name, equals, value = each.partition("=")
        if not equals or not name.isidentifier() or not value:
            raise UserError(f"--set {each}: write NAME=VALUE, such as domain=2")
        if name in chosen:
            raise UserError(f"--set {each}: {name} is chosen already; leave one of them out")
        chosen[name] = value
    return chosen


def refuse_unknown_style(style: str, known: Sequence[str] | None) -> None:
    """Raise UserError for a style that is no file, and none of those that a model has learned, where that is known."""
    if known is None:
        raise UserError(f"{style}: there is no such picture of a style")
    for part in style.split(","):
        name = part.partition(":")[0].strip()
        if name not in known and not (name.isascii() and name.isdigit()):
            raise UserError(f"--style {name}: the model has {', '.join(known)}{did_you_mean(name, known)}")
