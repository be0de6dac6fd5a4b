"""A part of one picture put into another, at the same place of input and target."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from toolbox import Mixture, Pair, UserError
from toolbox.contracts.mixture import beta, drawn


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels of a pair's smallest image."""

    top: int
    left: int
    height: int
    width: int

    def of(self, image: Tensor, factor: int) -> Tensor:
        """The part of an image that is `factor` times as large; a view."""
        rows = slice(self.top * factor, (self.top + self.height) * factor)
        return image[..., rows, self.left * factor : (self.left + self.width) * factor]


def factors(sample: Pair) -> dict[str, int]:
    """How many times as large as the smallest each image is."""
    smallest = min(image.shape[-1] for image in sample.values())
    return {name: image.shape[-1] // smallest for name, image in sample.items()}


def smallest(sample: Pair) -> tuple[int, int]:
    """Height and width of the smallest image."""
    height, width = min(tuple(image.shape[-2:]) for image in sample.values())
    return height, width


def drawn_box(size: tuple[int, int], sides: float, rng: torch.Generator) -> Box:
    """A box whose sides are that share of a picture's, at least one pixel, anywhere within."""
    height, width = (min(max(round(side * sides), 1), side) for side in size)
    top, left = (
        int(torch.randint(whole - part + 1, (), generator=rng))
        for whole, part in zip(size, (height, width), strict=True)
    )
    return Box(top, left, height, width)


def pasted(image: Tensor, part: Tensor, box: Box, factor: int) -> Tensor:
    """A copy of the image with that part in the box."""
    made = image.clone()
    box.of(made, factor).copy_(part)
    return made


class CutMix(Mixture):
    """A box out of another sample, at the same place (Yun et al., 2019).

    The box's share of the area is of the symmetric beta distribution of `alpha`: of 1 each is as likely.
    """

    def __init__(self, *, alpha: float = 1.0, probability: float = 0.5) -> None:
        super().__init__(probability=probability)
        if not alpha > 0:
            raise UserError(f"alpha must be above 0, got {alpha}")
        self.alpha = alpha

    def change(self, sample: Pair, partner: Pair, rng: torch.Generator) -> Pair:
        box = drawn_box(smallest(sample), sqrt(beta(self.alpha, rng)), rng)
        of = factors(sample)
        return {name: pasted(image, box.of(partner[name], of[name]), box, of[name]) for name, image in sample.items()}


class ResizeMix(Mixture):
    """The whole of another sample, made small and put anywhere (Qin et al., 2020).

    `sides` are the least and the most of its sides' share of the picture's. Input and target are shrunk alike, without
    aliasing: the input of a pasted part is sharper than the degradation would have made it.
    """

    def __init__(self, *, sides: tuple[float, float] = (0.1, 0.8), probability: float = 0.5) -> None:
        super().__init__(probability=probability)
        if not 0 < sides[0] <= sides[1] <= 1:
            raise UserError(f"sides must be two shares above 0 and up to 1, the smaller first, got {list(sides)}")
        self.sides = sides

    def change(self, sample: Pair, partner: Pair, rng: torch.Generator) -> Pair:
        box = drawn_box(smallest(sample), drawn(*self.sides, rng), rng)
        made = {}
        for name, factor in factors(sample).items():
            part = shrunk(partner[name], box.height * factor, box.width * factor)
            made[name] = pasted(sample[name], part, box, factor)
        return made


class CutBlur(Mixture):
    """A box of the input is as good as the target, or all but a box: what is good is to be left so (Yoo et al., 2020).

    `sides` are the least and the most of the box's share of the picture's sides. The input is small here, so the target
    is shrunk for it, bicubically; where that is all that the degradation does, nothing changes.
    """

    def __init__(self, *, sides: tuple[float, float] = (0.2, 0.7), probability: float = 0.5) -> None:
        super().__init__(probability=probability)
        if not 0 < sides[0] <= sides[1] <= 1:
            raise UserError(f"sides must be two shares above 0 and up to 1, the smaller first, got {list(sides)}")
        self.sides = sides

    def change(self, sample: Pair, partner: Pair, rng: torch.Generator) -> Pair:
        box = drawn_box(smallest(sample), drawn(*self.sides, rng), rng)
        inside = drawn(0, 1, rng) < 0.5
        *inputs, target = sorted(sample, key=lambda name: sample[name].shape[-1])  # at one size the target stands last
        made, of = dict(sample), factors(sample)
        for name in inputs:
            good = shrunk(sample[target], *sample[name].shape[-2:])
            under, over = (sample[name], good) if inside else (good, sample[name])
            made[name] = pasted(under, box.of(over, of[name]), box, of[name])
        return made


def shrunk(image: Tensor, height: int, width: int) -> Tensor:
    """An image (..., C, H, W) of another size, bicubically and without aliasing, in [0, 1]."""
    if image.shape[-2:] == (height, width):
        return image
    planes = image.reshape(-1, *image.shape[-3:])
    made = interpolate(planes, size=(height, width), mode="bicubic", antialias=True, align_corners=False)
    return made.clamp(0, 1).reshape(*image.shape[:-2], height, width)
