"""A network that paints small films large, taught by pictures of several styles and by large films."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from toolbox import STRENGTH, Output, Parts, Values
from toolbox.contracts.clips import is_recurrent
from toolbox_plugins.painter.algorithm import PaintedSuperResolution, marked
from toolbox_plugins.painter.styles import shares_of


class PaintedVideo(PaintedSuperResolution):
    """A small film `lr_a` (B, T, 3, h, w) to a large one `fake_b` (B, T, 3, scale*h, scale*w) in one of N styles.

    `PaintedSuperResolution` for generators with memory (`RecurrentStyleSPAN`); one without paints each frame by itself.
    Each clip has a style of its own, and each frame is judged by the same roles, `style`, `content`, `luminance` and
    `smoothness`. `motion` compares whole clips with the film: `WarpingLoss` asks that what is painted moves as the film
    does, `FrameDifferenceLoss` that it changes as the film changes. Where the dataset gives paintings `real_b` (B, 3,
    H, W) of the clips' styles, a `discriminator` judges the last frame of each clip among them.

    In use a film goes frame by frame: `generate` of a frame (N, 3, h, w) takes the memory of its `state`, and
    `next_state` gives the state for the frame after it. A clip (N, T, 3, h, w) is painted as a whole.

    Args:
        shift: pixels by which what is judged is moved at random, as of `PaintedSuperResolution`.

    Raises:
        UserError: the generator has no styles.
    """

    adversaries = {"discriminator": ("marked_b", "marked_fake")}
    optional = ("discriminator",)
    outputs = {
        "fake_b": Output("lr_a", "generator", keeps_colors=False, conditions=(STRENGTH,), clip=True),
        "sr_a": Output("lr_a", "generator", keeps_colors=True, clip=True),
    }
    roles = {
        "style": [("fake_frames", "style_frames")],
        "content": [("fake_frames", "real_frames")],
        "luminance": [("fake_frames", "real_frames")],
        "smoothness": [("fake_frames",)],
        "motion": [("fake_b", "real_a")],
    }

    def __init__(self, parts: Parts, *, shift: int = 0) -> None:
        super().__init__(parts, shift=shift)
        conditions = self.outputs["fake_b"].conditions
        painted = Output("lr_a", "generator", keeps_colors=False, conditions=conditions, clip=True)
        self.outputs = {"fake_b": painted, "sr_a": type(self).outputs["sr_a"]}

    def translate(self, values: Values) -> None:
        """Paint each small clip in a style, frame by frame."""
        clips = values["lr_a"]
        shares = shares_of(values, self.get_buffer("drawn"), len(self.styles), clips)
        values["fake_b"] = over_frames(self.generator, clips, None, shares)
        self.move(values, "fake_b", "real_a")
        values["fake_frames"], values["real_frames"] = (values[name].flatten(0, 1) for name in ("fake_b", "real_a"))
        values["style_frames"] = values["style_b"].reshape(-1).repeat_interleave(clips.shape[1])
        if "real_b" in values:
            self.move(values, "real_b")  # of the fakes' size
            values["marked_b"] = marked(values["real_b"], shares)
            values["marked_fake"] = marked(values["fake_b"][:, -1], shares)

    @classmethod
    def example_inputs(cls, count: int, size: int) -> dict[str, Tensor]:
        """Clips of three frames, and paintings with the numbers of their styles."""
        clips, paintings = torch.rand(count, 3, 3, size, size), torch.rand(count, 3, size, size)
        return {"real_a": clips, "real_b": paintings, "style_b": torch.arange(count) % 2}

    def survey(self, output: str, values: Values, state: dict[str, Any]) -> dict[str, Any]:
        """The same: what was measured over one frame would not do for those after it."""
        return state

    def generate(self, output: str, values: Values, state: dict[str, Any]) -> Tensor:
        """`fake_b` at the strength and in the style chosen, or `sr_a`, of a clip, or of a film's next frame."""
        network: Any = self.averaged_network("generator")
        images = values["lr_a"]
        strength: Any = {"enlarge": 0.0, "paint": None}.get(state["way"], state["strength"])
        if images.dim() == 5:
            return over_frames(network, images, strength, state["style"])
        if not is_recurrent(network):
            return network(images, strength, state["style"])
        made, state["coming"] = network.step(images, state.get("memory"), strength, state["style"])
        return made

    def next_state(self, output: str, values: Values, made: Tensor, state: dict[str, Any]) -> dict[str, Any]:
        """With the memory of the frame that was made."""
        return {**state, "memory": state.get("coming")}


def over_frames(network: nn.Module, clips: Tensor, strength: Any, style: Tensor | None) -> Tensor:
    """Clips (B, T, C, H, W) by a painter with memory, or by one of pictures, frame by frame."""
    if is_recurrent(network):
        return network(clips, strength, style)
    count = clips.shape[1]
    if isinstance(strength, Tensor):
        strength = strength.expand(len(clips)).repeat_interleave(count)
    if style is not None:
        style = style.expand(len(clips), -1).repeat_interleave(count, 0)
    return network(clips.flatten(0, 1), strength, style).unflatten(0, clips.shape[:2])
