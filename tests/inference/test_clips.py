"""Networks that take clips: pictures of one batch are the frames, and tiles reach as far as their memory."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from toolbox import Output
from toolbox.assembly.reach import reach
from toolbox.inference.options import Options
from toolbox.inference.picture import Picture
from toolbox.inference.predictor import Predictor


class Remembers(nn.Module):
    """Frames (T, C, H, W): each is the mean of itself and of the blurred frame before it."""

    scale, multiple, keeps_colors, clip = 1, 1, True, True

    def forward(self, frames: Tensor) -> Tensor:
        made, memory = [], torch.zeros_like(frames[0])
        for frame in frames:
            memory = (frame + nn.functional.avg_pool2d(memory[None], 3, 1, 1)[0]) / 2
            made.append(memory)
        return torch.stack(made)


def frames(count: int, side: int, alpha: bool = False) -> list[Picture]:
    rng = np.random.default_rng(0)
    shape = (side, side, 4 if alpha else 3)
    return [Picture(rng.integers(0, 256, shape, np.uint8), alpha=alpha) for _ in range(count)]


def test_the_reach_grows_by_a_pixel_with_each_frame() -> None:
    halos = [reach(Remembers(), channels=3, scale=1, multiple=1, frames=count).halo for count in (1, 2, 5)]
    assert halos == [0, 1, 4]


def test_a_clip_in_tiles_equals_the_whole() -> None:
    whole = Predictor(Remembers(), options=Options(tile=0)).translate(frames(5, 80))
    tiled = Predictor(Remembers(), options=Options(tile=32)).translate(frames(5, 80))
    assert all(np.array_equal(one.array, other.array) for one, other in zip(whole, tiled, strict=True))


def test_transparency_is_a_clip_of_its_own() -> None:
    made = Predictor(Remembers()).translate(frames(3, 16, alpha=True))
    opaque = [Picture(each.array[..., [3, 3, 3]]) for each in frames(3, 16, alpha=True)]
    alone = Predictor(Remembers()).translate(opaque)
    for with_alpha, plane in zip(made, alone, strict=True):
        assert with_alpha.array.shape == (16, 16, 4)
        apart = np.abs(with_alpha.array[..., 3].astype(int) - plane.array[..., 0])
        assert apart.max() <= 1, "but for the rounding of a mean over three channels"


def test_an_output_of_clips_says_so_wherever_it_is_described() -> None:
    output = Output("lr", "generator", keeps_colors=True, clip=True)
    assert output.described()["clip"] is True and output.through("other").clip
    assert output != Output("lr", "generator", keeps_colors=True)
