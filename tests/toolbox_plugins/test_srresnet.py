"""SRResNet against the published size, and against an implementation from the state dictionary alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox.io.errors import UserError
from toolbox_plugins.srgan.srresnet import SRResNet


def msrresnet(state: dict[str, Tensor], images: Tensor, shuffles: list[int]) -> Tensor:
    """BasicSR's MSRResNet, written from its description with functions only."""

    def conv(name: str, x: Tensor) -> Tensor:
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)

    x = F.leaky_relu(conv("conv_first", images), 0.1)
    block = 0
    while f"body.{block}.conv1.weight" in state:
        x = x + conv(f"body.{block}.conv2", conv(f"body.{block}.conv1", x).clamp(min=0))
        block += 1
    scale = 1
    for step, factor in enumerate(shuffles, start=1):
        x = conv(f"upconv{step}", x)
        b, c, h, w = x.shape
        x = x.view(b, c // factor**2, factor, factor, h, w).permute(0, 1, 4, 2, 5, 3)
        x = F.leaky_relu(x.reshape(b, c // factor**2, h * factor, w * factor), 0.1)
        scale *= factor
    x = conv("conv_last", F.leaky_relu(conv("conv_hr", x), 0.1))
    size = (images.shape[2] * scale, images.shape[3] * scale)
    return x + F.interpolate(images, size=size, mode="bilinear", align_corners=False)


def random_state(width: int, blocks: int, shuffles: list[int], channels: int = 3) -> dict[str, Tensor]:
    """A file as BasicSR writes it: keys and shapes from its documentation, not from our module."""
    shapes = {"conv_first": (width, channels), "conv_hr": (width, width), "conv_last": (channels, width)}
    for block in range(blocks):
        shapes |= {f"body.{block}.conv1": (width, width), f"body.{block}.conv2": (width, width)}
    for step, factor in enumerate(shuffles, start=1):
        shapes[f"upconv{step}"] = (width * factor**2, width)
    state = {}
    for name, (out, into) in shapes.items():
        state[f"{name}.weight"] = torch.randn(out, into, 3, 3) * (2 / (9 * into)) ** 0.5
        state[f"{name}.bias"] = torch.randn(out) * 0.1
    return state


@pytest.mark.parametrize(("scale", "shuffles"), [(2, [2]), (3, [3]), (4, [2, 2]), (8, [2, 2, 2])])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_basicsr_file_gives_what_basicsr_computes(scale, shuffles, channels):
    torch.manual_seed(0)
    state = random_state(8, 3, shuffles, channels)
    network = SRResNet(in_channels=channels, out_channels=channels, width=8, blocks=3, scale=scale)
    network.load_state_dict(state, strict=True)
    images = torch.rand(2, channels, 5, 7)
    output = network(images)
    assert output.shape == (2, channels, 5 * scale, 7 * scale)
    torch.testing.assert_close(output, msrresnet(state, images, shuffles), atol=1e-5, rtol=1e-5)


def test_it_has_the_published_number_of_parameters():
    assert sum(p.numel() for p in SRResNet().parameters()) == 1_517_571


def test_a_tenth_of_kaimings_normal_starts_it_and_biases_are_zero():
    torch.manual_seed(0)
    network = SRResNet(blocks=2)
    for name, p in network.named_parameters():
        if name.endswith("bias"):
            assert p.abs().max() == 0
        else:
            expected = 0.1 * (2 / (p.shape[1] * 9)) ** 0.5
            assert p.std().item() == pytest.approx(expected, rel=0.05), name


def test_untrained_it_is_close_to_bilinear_enlargement():
    torch.manual_seed(0)
    images = torch.rand(1, 3, 8, 8)
    bilinear = F.interpolate(images, scale_factor=4, mode="bilinear")
    assert (SRResNet(blocks=2)(images) - bilinear).abs().max() < 1e-2


def test_one_channel_is_added_to_each_of_several():
    network = SRResNet(in_channels=1, out_channels=3, width=4, blocks=1, scale=2)
    for parameter in network.conv_last.parameters():
        parameter.data.fill_(0)
    images = torch.rand(1, 1, 4, 5)
    expected = F.interpolate(images, scale_factor=2, mode="bilinear").expand(1, 3, 8, 10)
    assert torch.equal(network(images), expected)


def test_gradients_reach_every_parameter():
    network = SRResNet(width=8, blocks=2)
    network(torch.rand(1, 3, 6, 6)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 5}, "scale must be 2, 3, 4 or 8, got 5"),
        ({"scale": 1}, "scale must be 2, 3, 4 or 8, got 1"),
        ({"blocks": 0}, "blocks must be at least 1, got 0"),
        ({"width": -1}, "width must be at least 1, got -1"),
        ({"out_channels": 1}, r"out_channels must equal in_channels \(3\), got 1"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        SRResNet(**arguments)


def test_scale_and_multiple_are_what_the_generator_contract_asks():
    network = SRResNet(width=4, blocks=1, scale=3)
    assert (network.scale, network.multiple) == (3, 1)
