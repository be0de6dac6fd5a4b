"""What an algorithm gives once its networks are trained: outputs, predicted and evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import lcm, prod
from typing import Any, ClassVar

import torch
from torch import Tensor

from toolbox.contracts.metric import DO_NOTHING
from toolbox.contracts.network import unwrapped
from toolbox.io.errors import UserError
from toolbox.io.resize import resize_to
from toolbox.training.averages import Averages
from toolbox.training.network_call import call_padded


@dataclass(frozen=True)
class Style:
    """Which style an output shall have, for algorithms with outputs of many (`styled`).

    Args:
        images: pictures of the style, (1, C, H, W) for all of a batch or (B, C, H, W), in [0, 1]; None: one at random.
        strength: from 0, the input's own style, to 1.
        seed: of the random style.
    """

    images: Tensor | None = None
    strength: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise UserError(f"strength must be from 0 to 1, got {self.strength}")


class Outputs(Averages):
    """Base of `Algorithm`: applies the (averaged) networks of an output to images of any size."""

    styled: ClassVar[Mapping[str, str]] = {}
    """Outputs whose style can be chosen, each with the input that shows it in training: `{"fake_b": "real_b"}`."""
    graded: ClassVar[tuple[str, ...]] = ()
    """Outputs of one style, whose strength can be chosen."""

    def generate(self, output: str, images: Tensor, style: Style) -> Tensor:
        """An output from images (B, C, H, W) whose size suits its networks, by default one network after the other.

        Algorithms with `styled` outputs give their own, with the networks from `averaged_network`.
        """
        for slot in self.outputs[output][1:]:
            images = self.averaged_network(slot)(images)
        return images

    @torch.no_grad()
    def predict(self, images: Tensor, output: str | None = None, style: Style | None = None) -> Tensor:
        """An output, the first by default, of images (B, C, H, W) in [0, 1].

        Images are padded to the size that the networks need and cropped back; only here are values clamped.

        Raises:
            UserError: a style is given, and the output has none.
        """
        output = output or next(iter(self.outputs))
        if style is not None:
            self.refuse_style(output, style)
        return call_padded(_Output(self, output, style or Style()), images).float().clamp(0, 1)

    def refuse_style(self, output: str, style: Style) -> None:
        """Raise UserError where an output has no style to choose, or only its strength."""
        name = type(self).__name__
        if output not in self.styled and output not in self.graded:
            raise UserError(f"{name} has learned one style for {output}; leave --style, --strength and --seed out")
        if output in self.graded and style.images is not None:
            raise UserError(f"{name} has learned one style for {output}; leave --style out, --strength can be chosen")

    def scale_of(self, output: str) -> int:
        """Size of an output over the size of its input."""
        return prod(int(getattr(unwrapped(getattr(self, slot)), "scale", 1)) for slot in self.outputs[output][1:])

    def multiple_of(self, output: str) -> int:
        """What height and width of the input are padded to multiples of."""
        return lcm(*(int(getattr(unwrapped(getattr(self, slot)), "multiple", 1)) for slot in self.outputs[output][1:]))

    def forward(self, images: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """`predict` of the first output."""
        return self.predict(images)

    @torch.no_grad()
    def val_step(self, data: Mapping[str, Any]) -> list[dict[str, Any]]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Every image of a batch with all its names: inputs, references, outputs, and the do-nothing baseline."""
        values = self.data_preprocessor(data, False)
        for output, (source, *_) in self.outputs.items():
            if source in values:
                shown = self.styled.get(output)
                style = Style(values[shown]) if shown in values else None
                values[output] = self.predict(values[source], output, style)
                name = f"{DO_NOTHING}/{output}" if DO_NOTHING in values else DO_NOTHING
                values[name] = resize_to(values[source], values[output].shape[-2:]).clamp(0, 1)
        count = len(next(iter(values.values())))
        names = data.get("name", [""] * count)
        return [{name: value[i] for name, value in values.items()} | {"name": names[i]} for i in range(count)]

    def test_step(self, data: Mapping[str, Any]) -> list[dict[str, Any]]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """As in validation."""
        return self.val_step(data)


class _Output:
    """One output as a function, with the `scale` and `multiple` that padding asks for."""

    def __init__(self, algorithm: Outputs, output: str, style: Style) -> None:
        self.algorithm, self.output, self.style = algorithm, output, style
        self.scale, self.multiple = algorithm.scale_of(output), algorithm.multiple_of(output)

    def __call__(self, images: Tensor) -> Tensor:
        return self.algorithm.generate(self.output, images, self.style)
