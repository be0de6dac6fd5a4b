"""What an algorithm gives once its networks are trained: outputs, predicted and evaluated."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from math import lcm, prod
from typing import Any

import torch
from torch import Tensor

from toolbox.contracts.metric import DO_NOTHING
from toolbox.contracts.network import unwrapped
from toolbox.contracts.output import Output
from toolbox.io.errors import UserError
from toolbox.io.resize import resize_to
from toolbox.training.averages import Averages
from toolbox.training.network_call import cropped, padded

Values = dict[str, Any]
"""Named values of one iteration: images (B, C, H, W), and whatever else a role or an adversary refers to."""


class Outputs(Averages):
    """Base of `Algorithm`: applies the (averaged) networks of an output to images of any size.

    What is chosen for an output is prepared once by `condition`, and used for every tile and frame by `generate`.
    """

    asked: frozenset[str] | None = None
    """Names of the images that are looked at in an evaluation, whose other outputs are not made; None: all are."""

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Outputs may be written as `(source, network, ...)`; what toolbox 0.1 had otherwise is refused."""
        super().__init_subclass__(**arguments)
        made: Any = getattr(cls, "derived", {})
        for name, each in cls.outputs.items():
            if isinstance(each, tuple):
                cls.outputs = {**cls.outputs, name: Output(*each, keeps_colors=each[0] in made)}
        old = [name for name in ("styled", "graded") if name in vars(cls)]
        if "generate" in vars(cls) and "style" in inspect.signature(cls.generate).parameters:
            old = ["generate(output, images, style)"]
        if old:
            raise TypeError(f"{cls.__name__}.{old[0]}: since toolbox 0.2 outputs say what can be chosen, as "
                            "Output(..., conditions=(STRENGTH,)); condition(output, chosen) prepares it once and "
                            "generate(output, values, state) uses it")  # fmt: skip

    # ------------------------------------------------------------------ what a subclass may give

    def prepare(self, values: Values) -> None:
        """Add what is made of the inputs before any network sees them: a masked picture, a label as planes.

        Shared by training, validation, prediction and the look at an evaluation's first sample. Only training has every
        input; prediction has an output's sources alone. In evaluation (`self.training` is false) draw nothing.
        """

    def condition(self, output: str, chosen: dict[str, Any]) -> Any:
        """Prepare what was chosen, once: encode a picture of a style, embed a label. By default it stays as it is.

        `chosen` holds every condition of the output by name, as `Condition.value` gives it, on the networks' device.
        """
        return chosen

    def survey(self, output: str, values: Values, state: Any) -> Any:
        """The state for the tiles of one picture, from the whole picture, large ones shrunk; by default the same.

        What a network measures over a whole image, such as the statistics of instance norm, is measured here: then
        its tiles agree with each other and, where nothing was shrunk, with the whole.
        """
        return state

    def generate(self, output: str, values: Values, state: Any) -> Tensor:
        """The output of prepared inputs (B, C, H, W) with what `condition` gave, by the networks `averaged_network`.

        By default one network after the other. Sizes suit the networks; an image is a tile, or a frame.
        """
        images = values[self.outputs[output].source]
        for slot in self.outputs[output].networks:
            images = self.averaged_network(slot)(images)
        return images

    def next_state(self, output: str, values: Values, made: Tensor, state: Any) -> Any:
        """The state for the next frame of a film, from a frame's inputs and its whole output; by default the same."""
        return state

    # ------------------------------------------------------------------ prediction

    @torch.no_grad()
    def predict(
        self,
        images: Tensor | Mapping[str, Tensor],
        output: str | None = None,
        chosen: Mapping[str, Any] | None = None,
    ) -> Tensor:
        """An output, the first by default, of images (B, C, H, W) in [0, 1], or of several named ones.

        `chosen` holds conditions by name: `{"strength": 0.5}`. Images are padded to the size that the networks need and
        the result is cropped back; only here are values clamped.

        Raises:
            UserError: something is chosen that the output has not.
        """
        output = output or next(iter(self.outputs))
        return self.predict_in(self.conditioned(output, chosen or {}), images, output)

    @torch.no_grad()
    def conditioned(self, output: str, chosen: Mapping[str, Any]) -> Any:
        """What was chosen for an output, prepared once for many calls of `predict_in`."""
        self.refuse(output, chosen)
        place = next(self.parameters(), torch.empty(0)).device
        values = self.outputs[output].chosen(chosen)
        moved = {name: each.to(place) if isinstance(each, Tensor) else each for name, each in values.items()}
        return self.condition(output, moved)

    @torch.no_grad()
    def predict_in(self, state: Any, images: Tensor | Mapping[str, Tensor], output: str) -> Tensor:
        """As `predict`, with a state of `conditioned`."""
        source, scale = self.outputs[output].source, self.scale_of(output)
        height, width = (images if isinstance(images, Tensor) else images[source]).shape[-2:]
        made = self.generate(output, self._prepared(images, output), state)
        return cropped(made, height * scale, width * scale).float().clamp(0, 1)

    @torch.no_grad()
    def surveyed(self, state: Any, images: Tensor | Mapping[str, Tensor], output: str) -> Any:
        """The state of `predict_in` for the tiles of whole images (B, C, H, W), which may have been shrunk."""
        return self.survey(output, self._prepared(images, output), state)

    def surveys(self) -> bool:
        """Whether whole pictures are looked at before their tiles."""
        return type(self).survey is not Outputs.survey

    def _prepared(self, images: Tensor | Mapping[str, Tensor], output: str) -> Values:
        """Named images, padded to the size that the output's networks need, with what is made of them."""
        given = {self.outputs[output].source: images} if isinstance(images, Tensor) else images
        values = {name: padded(each, self.multiple_of(output)) for name, each in given.items()}
        self.prepare(values)
        return values

    def refuse(self, output: str, chosen: Mapping[str, Any]) -> None:
        """Raise UserError where an output has nothing to choose, or not this."""
        name, known = type(self).__name__, self.outputs[output].names
        unknown = [each for each in chosen if each not in known]
        if unknown and not known:
            raise UserError(f"{name} has learned one style for {output}; leave --style, --strength and --seed out")
        if unknown == ["style"] and "strength" in known:
            raise UserError(f"{name} has learned one style for {output}; leave --style out, --strength can be chosen")
        if unknown:
            raise UserError(f"{name} has no --set {unknown[0]} for {output}; it has {', '.join(known)}")

    def scale_of(self, output: str) -> int:
        """Size of an output over the size of its input."""
        return prod(int(getattr(unwrapped(getattr(self, slot)), "scale", 1)) for slot in self.outputs[output].networks)

    def multiple_of(self, output: str) -> int:
        """What height and width of the input are padded to multiples of."""
        return self._common(output, "multiple")

    def period_of(self, output: str) -> int:
        """What tiles of a picture must begin at multiples of, for patterns that networks lay over it."""
        return self._common(output, "period")

    def _common(self, output: str, attribute: str) -> int:
        networks = (unwrapped(getattr(self, slot)) for slot in self.outputs[output].networks)
        return lcm(*(int(getattr(network, attribute, 1)) for network in networks))

    def forward(self, images: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """`predict` of the first output."""
        return self.predict(images)

    # ------------------------------------------------------------------ evaluation

    def available(self, values: Mapping[str, Any]) -> list[str]:
        """The outputs that can be made of these values."""
        return [name for name, each in self.outputs.items() if all(source in values for source in each.sources)]

    @torch.no_grad()
    def predict_from(self, values: Mapping[str, Any], output: str) -> Tensor:
        """An output of named values as training and validation have them, with the conditions that they hold."""
        asked = self.outputs[output]
        chosen = {each.name: values[each.source] for each in asked.conditions if each.source and each.source in values}
        return self.predict({name: values[name] for name in asked.sources}, output, chosen)

    @torch.no_grad()
    def val_step(self, data: Mapping[str, Any]) -> list[dict[str, Any]]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Every image of a batch by name: inputs, references, the outputs that are asked for, and their baselines."""
        values = self.data_preprocessor(data, False)
        count = len(next(iter(values.values())))
        self.prepare(values)
        known = self.available(values)
        for output in known:
            name = DO_NOTHING if output == known[0] else f"{DO_NOTHING}/{output}"
            if self.asked is None or not self.asked.isdisjoint((output, name)):
                values[output] = self.predict_from(values, output)
                values[name] = _unchanged(values[self.outputs[output].source], values[output].shape[-2:])
        each = {
            name: value for name, value in values.items() if isinstance(value, Tensor) and value.shape[:1] == (count,)
        }
        names = data.get("name", [""] * count)
        return [{name: value[i] for name, value in each.items()} | {"name": names[i]} for i in range(count)]

    def test_step(self, data: Mapping[str, Any]) -> list[dict[str, Any]]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """As in validation."""
        return self.val_step(data)


def _unchanged(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Images (..., C, H, W) resized bicubically to (..., C, *size), in [0, 1]: what doing nothing gives."""
    return resize_to(images.flatten(0, -4), size).clamp(0, 1).unflatten(0, images.shape[:-3])
