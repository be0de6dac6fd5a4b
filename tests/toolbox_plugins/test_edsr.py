"""EDSR against its published sizes, and against an implementation from the state dictionary alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox.io.errors import UserError
from toolbox.testing import check_generator
from toolbox_plugins.edsr.edsr import EDSR


def basicsr_state(width: int, blocks: int, shuffles: list[int], channels: int) -> dict[str, Tensor]:
    """A file as BasicSR writes it: keys and shapes from its description, not from our module."""
    shapes = {"conv_first": (width, channels), "conv_after_body": (width, width), "conv_last": (channels, width)}
    for block in range(blocks):
        shapes |= {f"body.{block}.conv1": (width, width), f"body.{block}.conv2": (width, width)}
    for step, factor in enumerate(shuffles):
        shapes[f"upsample.{2 * step}"] = (width * factor**2, width)
    state = {}
    for name, (out, into) in shapes.items():
        state[f"{name}.weight"] = torch.randn(out, into, 3, 3) * (2 / (9 * into)) ** 0.5
        state[f"{name}.bias"] = torch.randn(out) * 0.1
    return state


def edsr(state: dict[str, Tensor], images: Tensor, shuffles: list[int], share: float, mean: list[float]) -> Tensor:
    """EDSR with functions only."""

    def conv(name: str, x: Tensor) -> Tensor:
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)

    shift = torch.tensor(mean).view(1, -1, 1, 1)
    start = x = conv("conv_first", 255 * (images - shift))
    for block in range(2):
        x = x + share * conv(f"body.{block}.conv2", conv(f"body.{block}.conv1", x).clamp(min=0))
    x = start + conv("conv_after_body", x)
    for step, factor in enumerate(shuffles):
        x = F.pixel_shuffle(conv(f"upsample.{2 * step}", x), factor)
    return conv("conv_last", x) / 255 + shift


@pytest.mark.parametrize(("scale", "shuffles"), [(1, []), (2, [2]), (3, [3]), (4, [2, 2]), (8, [2, 2, 2])])
@pytest.mark.parametrize(
    ("channels", "mean", "meant"),
    [(3, None, [0.4488, 0.4371, 0.4040]), (1, None, [0.5]), (2, [0.1, 0.2], [0.1, 0.2])],
)
def test_a_basicsr_file_gives_what_its_description_computes(scale, shuffles, channels, mean, meant):
    state = basicsr_state(8, 2, shuffles, channels)
    network = EDSR(
        in_channels=channels, out_channels=channels, width=8, blocks=2, residual_scale=0.3, scale=scale, mean=mean
    )
    network.load_state_dict(state, strict=True)
    images = torch.rand(2, channels, 5, 7)
    output = network(images)
    assert output.shape == (2, channels, 5 * scale, 7 * scale)
    torch.testing.assert_close(output, edsr(state, images, shuffles, 0.3, meant), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "count"), [({}, 1_517_571), ({"width": 256, "blocks": 32, "residual_scale": 0.1}, 43_089_923)]
)
def test_it_has_the_published_number_of_parameters(arguments, count):
    width, blocks = arguments.get("width", 64), arguments.get("blocks", 16)
    convolutions = (2 * blocks + 1) + 2 * 4  # the blocks and the one after them, and four each before two shuffles
    by_hand = convolutions * (width * width * 9 + width) + (3 * width * 9 + width) + (3 * width * 9 + 3)
    with torch.device("meta"):
        found = sum(p.numel() for p in EDSR(**arguments).parameters())
    assert found == by_hand == count  # table 1: 1.5M and 43M


def test_it_keeps_to_the_contract():
    check_generator(EDSR(width=4, blocks=1, scale=2), size=8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 5}, "scale must be 1, 2, 3, 4 or 8, got 5"),
        ({"width": 0}, "width must be at least 1, got 0"),
        ({"out_channels": 1}, r"out_channels must equal in_channels \(3\), got 1"),
        ({"residual_scale": 0}, "residual_scale must be above 0, got 0"),
        ({"mean": [0.5]}, r"mean must have a value for each of 3 channels, got \[0.5\]"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        EDSR(**arguments)
