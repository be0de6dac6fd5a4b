"""What a trained algorithm gives: which pictures it is made of, by which networks, and what can be chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from toolbox.io.errors import UserError, did_you_mean
from toolbox.io.images import images_to_float, read_image


@dataclass(frozen=True)
class Condition:
    """One thing that is chosen when an output is used, and prepared once for all tiles and frames.

    Args:
        name: what it is called in `infer --set NAME=VALUE` and in Python.
        kind: a `picture` (1 or B, C, H, W) in [0, 1] of any size, or its file, such as one of a style; a `number`, such
            as a strength; a `label`, a whole number from 0, or one of `labels` by name; a `mixture` of labels, by name
            with their shares, `monet` or `monet:0.7,hokusai:0.3`; a `seed` of random numbers.
        source: the value of training and validation that holds it, one each for the images of a batch; none is needed.
        default: what is taken where nobody chooses; None leaves it to the algorithm.
        low, high: the range of a number.
        labels: the names of a label's values, or how many there are.
    """

    name: str
    kind: Literal["picture", "number", "label", "mixture", "seed"] = "number"
    source: str | None = None
    default: float | None = None
    low: float = 0.0
    high: float = 1.0
    labels: Sequence[str] | int = 0

    def value(self, given: Any) -> Any:
        """What was given as the algorithm gets it: a picture, a float32 or int64 tensor (1,) or (B,), a seed as int.

        A mixture is float32 (1, n), or (B, n) of labels (B,), and adds up to 1.

        Raises:
            UserError: it is none of this kind, or out of range.
        """
        if given is None or (self.kind == "picture" and isinstance(given, Tensor)):
            return given
        if self.kind == "picture":
            return self._picture(given)
        if isinstance(given, Tensor):
            if self.kind == "mixture":
                return self._shares(given)
            return given.flatten() if self.kind != "seed" else int(given)
        if self.kind == "mixture":
            return self._mixture(given)
        return self._label(given) if self.kind == "label" else self._number(given)

    def _picture(self, file: Any) -> Tensor:
        """A picture's file as (1, 3, H, W) in [0, 1]: gray becomes RGB, and transparency is dropped."""
        try:
            pixels = read_image(file)  # (H, W, 3)
        except UserError as error:
            raise UserError(f"--{self.name} {error}") from None
        return images_to_float(torch.from_numpy(pixels).permute(2, 0, 1)[None])

    def _number(self, given: Any) -> Any:
        try:
            number = int(given) if self.kind == "seed" else float(given)
        except (TypeError, ValueError, OverflowError):  # whole numbers may be longer than floats are, and inf is none
            raise UserError(f"{self.name} must be a number, got {shortened(given)}") from None
        if self.kind == "seed":
            if not 0 <= number < 2**63:
                raise UserError(f"{self.name} must be 0 or more, and below 2^63, got {shortened(given)}")
            return number
        if not self.low <= number <= self.high:
            raise UserError(f"{self.name} must be from {self.low:g} to {self.high:g}, got {shortened(given)}")
        return torch.tensor([number])

    def _label(self, given: Any) -> Tensor:
        return torch.tensor([self._number_of(given)])

    def _shares(self, given: Tensor) -> Tensor:
        """Shares (1 or B, n) as they are, labels (B,) as all of one."""
        names = self._names()
        if not given.is_floating_point():
            return one_hot(given.flatten(), len(names)).float()
        if given.dim() != 2 or given.shape[1] != len(names):
            shape = tuple(given.shape)
            raise UserError(f"{self.name}: a tensor holds shares (1, {len(names)}) of {', '.join(names)}; got {shape}")
        return given

    def _mixture(self, given: Any) -> Tensor:
        """Shares by name, a mapping or as text."""
        names = self._names()
        if not isinstance(given, Mapping):
            parts = [each.rpartition(":") if ":" in each else (each, "", 1) for each in str(given).split(",")]
            pairs = [(name.strip(), share) for name, _, share in parts]
            twice = next((name for n, (name, _) in enumerate(pairs) if name in dict(pairs[:n])), None)
            if twice is not None:
                raise UserError(f"{self.name}: {shortened(twice)} has two shares; give it one")
            given = dict(pairs)
        shares = [0.0] * len(names)
        for name, share in given.items():
            try:
                shares[self._number_of(name)] = float(share)
            except (TypeError, ValueError, OverflowError):
                raise UserError(f"{self.name}: the share of {name} must be a number, got {shortened(share)}") from None
        total = sum(shares)
        if min(shares) < 0 or not 0 < total < inf:
            raise UserError(f"{self.name}: shares must be 0 or more, and one above, got {shortened(given)}")
        return torch.tensor([[share / total for share in shares]])

    def _names(self) -> list[str]:
        return [str(number) for number in range(self.labels)] if isinstance(self.labels, int) else list(self.labels)

    def _number_of(self, label: Any) -> int:
        """A label's number, by its name or as a number."""
        names = self._names()
        if label in names:
            return names.index(label)
        try:
            text = str(label)
        except ValueError:  # a whole number longer than Python writes out
            text = ""
        if not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) >= len(names):
            known = f"0 to {len(names) - 1}" if isinstance(self.labels, int) else ", ".join(names)
            hint = "" if isinstance(self.labels, int) else did_you_mean(text[:40], names)
            raise UserError(f"{self.name} has no label {shortened(label)}{hint or f'; known: {known}'}")
        return int(text)


def shortened(value: Any) -> str:
    """A value as a message shows it: numbers from elsewhere may have any length, more than Python writes out."""
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= 40 else f"{text[:37]}…"


STRENGTH = Condition("strength", default=1.0)
"""How much of an output's effect: 0 keeps the input, 1 is all of it."""
SEED = Condition("seed", "seed", default=0)
"""Of what is drawn at random."""


class Output:
    """An output of an algorithm: `Output("lr_a", "generator_ab", keeps_colors=False, conditions=(STRENGTH,))`.

    Args:
        sources: the named input that it is made of, or several that lie on each other (a picture and a mask); the first
            gives the size.
        networks: the slots that it passes, in order; together they make its scale.
        keeps_colors: whether colours are the input's own, as of an enlarger, or the output's, as of a painter. Gray
            stays gray, and transparency passes the networks, only where they are the input's.
        conditions: what is chosen when it is used.
        clip: whether it is made of clips (B, T, C, H, W): then pictures of one batch, in order, are the frames of one.
    """

    def __init__(
        self,
        sources: str | Sequence[str],
        *networks: str,
        keeps_colors: bool,
        conditions: Sequence[Condition] = (),
        clip: bool = False,
    ) -> None:
        self.sources = (sources,) if isinstance(sources, str) else tuple(sources)
        self.networks, self.keeps_colors, self.conditions = networks, keeps_colors, tuple(conditions)
        self.clip = clip

    @property
    def source(self) -> str:
        """The first input, which gives the size."""
        return self.sources[0]

    @property
    def names(self) -> list[str]:
        """What can be chosen."""
        return [each.name for each in self.conditions]

    def through(self, *networks: str) -> Output:
        """The same output by other networks."""
        return Output(
            self.sources, *networks, keeps_colors=self.keeps_colors, conditions=self.conditions, clip=self.clip
        )

    def chosen(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Every condition's value by name: what was given, or its default.

        Raises:
            UserError: there is no such condition, or it does not take the value.
        """
        for name in given:
            if name not in self.names:
                raise UserError(f"there is no '{name}' to choose{did_you_mean(name, self.names)}")
        return {each.name: each.value(given.get(each.name, each.default)) for each in self.conditions}

    def keeps_colors_at(self, given: Mapping[str, Any]) -> bool:
        """Whether colours are the input's own, with what was chosen: at strength 0 they always are."""
        strength = given.get(STRENGTH.name)
        try:
            return self.keeps_colors or (strength is not None and float(strength) == 0)
        except (TypeError, ValueError, RuntimeError, OverflowError):  # no number, or a tensor of several
            return False

    def described(self) -> dict[str, Any]:
        """As plain values, for descriptions of exported networks."""
        conditions = {
            each.name: each.kind if isinstance(each.labels, int) else {"kind": each.kind, "labels": list(each.labels)}
            for each in self.conditions
        }
        described = {
            "sources": list(self.sources),
            "networks": list(self.networks),
            "keeps_colors": self.keeps_colors,
            "conditions": conditions,
        }
        return described | ({"clip": True} if self.clip else {})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Output) and vars(self) == vars(other)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __repr__(self) -> str:
        made = ", ".join([repr(self.source if len(self.sources) == 1 else self.sources), *map(repr, self.networks)])
        return f"Output({made}, keeps_colors={self.keeps_colors}, conditions={self.names})"
