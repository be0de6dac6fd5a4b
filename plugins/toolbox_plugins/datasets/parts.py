"""The two parts of one folder: what is trained on, and every so many-th image, which is kept apart to measure on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from toolbox import UserError


def part(count: int, hold_out: int | None, held_out: bool) -> list[int]:
    """The numbers of the samples, out of `count`, that belong to one part.

    `hold_out: 10` keeps the tenth apart, the twentieth, and so on; `held_out` takes those and leaves the others.

    Raises:
        UserError: `hold_out` is below 2, is missing where `held_out` asks for a part, or keeps none of so few apart.
    """
    if hold_out is None:
        if held_out:
            raise UserError("held_out takes what hold_out keeps apart; write hold_out too, such as hold_out: 10")
        return list(range(count))
    if hold_out < 2:
        raise UserError(f"hold_out must be 2 or more (every second image), got {hold_out}")
    if hold_out > count:
        raise UserError(f"hold_out: {hold_out} keeps none of {count} apart; write a number up to {count}")
    return [index for index in range(count) if (index % hold_out == hold_out - 1) == held_out]


def wanted_part(hold_out: int | None, held_out: bool) -> Callable[[list[Path]], list[int]] | None:
    """The part of a folder's images, as `Folder` wants to know it; None where it is whole."""
    if hold_out is None and not held_out:
        return None
    return lambda paths: part(len(paths), hold_out, held_out)
