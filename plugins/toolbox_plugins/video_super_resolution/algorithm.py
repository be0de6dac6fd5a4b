"""How clips are enlarged, whatever a network sees of them: all frames before, a window of them, or one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from toolbox import Algorithm, Output, Parts, UserError, Values, unwrapped
from toolbox.contracts.clips import is_recurrent, window_of, windows


class VideoSuperResolution(Algorithm):
    """Clips `lr` (B, T, C, H, W) to `sr` (B, T, C, scale*H, scale*W), judged against `hr`.

    The dataset gives `hr` (`VideoClips`), and `model.degradation` makes `lr` of it, or both are given. A generator with
    memory makes a clip's frames in order; one that looks at a window of frames makes those whose whole window is
    within the clip, in training, and all of them in use; any other makes each frame by itself.

    Roles: `pixel` and `motion` compare clips (`FrameDifferenceLoss`, and `WarpingLoss` with `of: error`, see errors
    that flicker), `perceptual` compares frames, for losses of pictures. `discriminator` judges frames, or clips.

    Args:
        warmup: frames at a clip's beginning that nothing is asked of in training, for their memory is empty.
        judges_clips: whether the discriminator takes clips (B, T, C, H, W) and sees motion.

    Raises:
        UserError: `warmup` is negative.
    """

    inputs = ("lr", "hr")
    derived = {"lr": "hr"}
    generators = ("generator",)
    outputs = {"sr": Output("lr", "generator", keeps_colors=True, clip=True)}
    adversaries = {"discriminator": ("hr_judged", "sr_judged")}
    optional = ("discriminator",)
    roles = {
        "pixel": [("sr", "hr_seen")],
        "motion": [("sr", "hr_seen")],
        "perceptual": [("sr_frames", "hr_frames")],
    }

    generator: nn.Module

    def __init__(self, parts: Parts, *, warmup: int = 0, judges_clips: bool = False) -> None:
        super().__init__(parts)
        if warmup < 0:
            raise UserError(f"warmup must be 0 or more frames, got {warmup}")
        self.warmup, self.judges_clips = warmup, judges_clips

    def translate(self, values: Values) -> None:
        """Enlarge the clips; `hr_seen` are the large frames that were made."""
        margin = window_of(self.generator) // 2
        count = values["lr"].shape[1]
        if count <= 2 * margin + self.warmup:
            name = type(unwrapped(self.generator)).__name__
            raise UserError(
                f"train_dataloader.dataset.frames: clips have {count} frames, and {name} and warmup need "
                f"{2 * margin + self.warmup + 1} or more"
            )
        values["sr"] = over_clip(self.generator, values["lr"], warmup=self.warmup)
        values["hr_seen"] = values["hr"][:, self.warmup + margin : count - margin]
        values["sr_frames"], values["hr_frames"] = (values[name].flatten(0, 1) for name in ("sr", "hr_seen"))
        names = ("sr", "hr_seen") if self.judges_clips else ("sr_frames", "hr_frames")
        values["sr_judged"], values["hr_judged"] = (values[name] for name in names)

    def generate(self, output: str, values: Values, state: Any) -> Tensor:
        """All frames of clips (B, T, C, H, W), or a film's next frame (B, C, H, W) with the memory of its state."""
        network: Any = self.averaged_network("generator")
        images = values["lr"]
        if images.dim() == 5:
            return over_clip(network, images, whole=True)
        made, state["coming"] = network.step(images, state.get("memory"))
        return made

    def next_state(self, output: str, values: Values, made: Tensor, state: Any) -> Any:
        """With the memory of the frame that was made."""
        return {**state, "memory": state.get("coming")}

    @classmethod
    def example_inputs(cls, count: int, size: int) -> dict[str, Tensor]:
        """Clips of three frames, for `plugins check` and tests."""
        return {"hr": torch.rand(count, 3, 3, size, size)}


def over_clip(network: Callable[..., Tensor], clips: Tensor, *, warmup: int = 0, whole: bool = False) -> Tensor:
    """The frames of clips (B, T, C, H, W) by a network of any of the kinds of `toolbox.contracts.clips`.

    Of one that looks at windows, frames whose window does not lie within are left out, unless they are to be `whole`.
    The first `warmup` of the others are left out, too; only a network with memory has to make them.
    """
    module: Any = network
    if is_recurrent(module):
        return network(clips)[:, warmup:]
    frames = window_of(module)
    margin = 0 if whole else frames // 2
    asked = range(margin + warmup, clips.shape[1] - margin)
    seen = windows(clips, frames, asked) if frames > 1 else clips[:, warmup:]  # (B, asked, frames, C, H, W), or a clip
    return network(seen.flatten(0, 1)).unflatten(0, seen.shape[:2])
