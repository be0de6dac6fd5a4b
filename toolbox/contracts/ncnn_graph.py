"""What an ncnn model computes, as a table in which equal computations have equal numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class NcnnGraph:
    """What an ncnn model computes: nodes, of which equal ones have equal numbers, and the weights in their order.

    A node is an operation, its setting and its inputs; a format builds the nodes of the network that it knows in the
    same table and compares the output's number. `conv` nodes hold the place of their weights in `convolutions`
    (weight (out, in, k, k), bias), `prelu` nodes that in `slopes`, and `constant` nodes that in `constants`.
    """

    convolutions: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    slopes: list[Tensor] = field(default_factory=list)
    constants: list[Tensor] = field(default_factory=list)
    types: Counter[str] = field(default_factory=Counter)
    output: int = -1
    _numbers: dict[tuple[object, ...], int] = field(default_factory=dict)

    @property
    def input(self) -> int:
        """The node of the images."""
        return self.node("input", 0)

    def node(self, operation: str, setting: float, *inputs: int) -> int:
        """The number of a node: the one it has already, or a new one."""
        return self._numbers.setdefault((operation, round(setting, 6), *inputs), len(self._numbers))

    def concat(self, inputs: Sequence[int]) -> int:
        """Channels side by side; of a single input, that input."""
        return self.node("concat", 0, *inputs) if len(inputs) > 1 else inputs[0]

    def add(self, *terms: tuple[int, float]) -> int:
        """A sum of (node, factor), in any order."""
        flat = [part for node, factor in sorted(terms) for part in (node, factor)]
        return self._numbers.setdefault(("add", *(round(part, 6) for part in flat)), len(self._numbers))

    def product(self, *factors: int) -> int:
        """Nodes multiplied with each other, in any order."""
        return self.node("product", 0, *sorted(factors))

    def summary(self) -> str:
        """`501 Convolution, 348 Concat, ...`"""
        return ", ".join(f"{number} {name}" for name, number in self.types.most_common(8))
