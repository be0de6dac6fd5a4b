"""RRDBNet against its published sizes and keys, and against what spandrel 0.4.2 computes from the same file."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from toolbox.io.errors import UserError
from toolbox.testing import check_generator
from toolbox.training.network_call import call_padded
from toolbox_plugins.esrgan.rrdbnet import RRDBNet


def wave(shape: tuple[int, ...], k: int) -> Tensor:
    """Values of sin(k (n + 1)), n counted over the tensor: the same on every machine, whatever torch draws."""
    return torch.sin(torch.arange(math.prod(shape), dtype=torch.float64) * k + k).reshape(shape)


def basicsr_state(width: int, blocks: int, growth: int, channels: int) -> dict[str, Tensor]:
    """A file in BasicSR's layout, written from its description; number k of its convolutions is filled by wave k."""
    shapes = {"conv_first": (width, channels)}
    shapes |= {name: (width, width) for name in ("conv_body", "conv_up1", "conv_up2", "conv_hr")}
    shapes["conv_last"] = (3, width)
    for block in range(blocks):
        for dense in (1, 2, 3):
            for conv in range(1, 6):
                name = f"body.{block}.rdb{dense}.conv{conv}"
                shapes[name] = (growth if conv < 5 else width, width + (conv - 1) * growth)
    state = {}
    for k, (name, (out, into)) in enumerate(shapes.items(), start=1):
        state[f"{name}.weight"] = (wave((out, into, 3, 3), k) * (4 / (9 * into)) ** 0.5).float()
        state[f"{name}.bias"] = (wave((out,), k) * 0.1).float()
    return state


@pytest.mark.parametrize(
    ("scale", "unshuffle", "mean", "deviation", "pixel", "corner"),
    [
        # spandrel.ModelLoader().load_from_state_dict(basicsr_state(4, 1, 32, 3 * unshuffle**2)), its model applied to
        # wave((1, 3, 4, 8), 1) / 2 + 1 / 2: mean and deviation of the output, its pixels [1, 2] and [-1, -1].
        (4, 1, -0.05548019, 0.04258534, (-0.086938, -0.011439, -0.076726), (-0.094466, 0.00753, -0.096438)),
        (2, 2, -0.05515798, 0.04355627, (-0.117854, -0.017292, -0.037405), (-0.071219, -0.000928, -0.10754)),
        (1, 4, -0.05643005, 0.05266801, (-0.115259, -0.05795, 0.018383), (-0.070336, -0.009221, -0.096514)),
    ],
)
def test_a_basicsr_file_gives_what_spandrel_computes(scale, unshuffle, mean, deviation, pixel, corner):
    network = RRDBNet(width=4, blocks=1, scale=scale)
    network.load_state_dict(basicsr_state(4, 1, 32, 3 * unshuffle**2), strict=True)
    output = network((wave((1, 3, 4, 8), 1) / 2 + 0.5).float()).detach()
    assert output.shape == (1, 3, 4 * scale, 8 * scale)
    assert (output.mean().item(), output.std().item()) == pytest.approx((mean, deviation), abs=1e-6)
    assert output[0, :, 1, 2].tolist() == pytest.approx(pixel, abs=3e-6)
    assert output[0, :, -1, -1].tolist() == pytest.approx(corner, abs=3e-6)


@pytest.mark.parametrize(("blocks", "count"), [(23, 16_697_987), (6, 4_467_779)])
def test_it_has_the_published_number_of_parameters(blocks, count):
    with torch.device("meta"):
        network = RRDBNet(blocks=blocks)
    assert sum(p.numel() for p in network.parameters()) == count
    assert len(network.state_dict()) == 2 * (15 * blocks + 6)


@pytest.mark.parametrize(("scale", "multiple", "folded"), [(4, 1, 3), (2, 2, 12), (1, 4, 48)])
def test_smaller_scales_fold_pixels_into_channels_first(scale, multiple, folded):
    network = RRDBNet(width=4, blocks=1, growth=2, scale=scale)
    assert (network.scale, network.multiple, network.conv_first.in_channels) == (scale, multiple, folded)
    assert call_padded(network, torch.rand(1, 3, 7, 9)).shape == (1, 3, 7 * scale, 9 * scale)
    check_generator(network, size=8)


@pytest.mark.parametrize(("into", "out"), [(1, 1), (1, 3), (5, 2)])
def test_any_number_of_channels_goes_in_and_out(into, out):
    network = RRDBNet(in_channels=into, out_channels=out, width=4, blocks=1, growth=2, scale=2)
    assert network(torch.rand(1, into, 6, 4)).shape == (1, out, 12, 8)


def test_dense_blocks_start_at_a_tenth_of_kaimings_normal_and_the_rest_as_pytorch_does():
    network = RRDBNet(blocks=1)
    for name, p in network.named_parameters():
        if not name.startswith("body"):
            bound = p[0].numel() ** -0.5  # uniform within 1 / sqrt(fan-in)
            assert not name.endswith("weight") or p.abs().max().item() == pytest.approx(bound, rel=0.01), name
        elif name.endswith("bias"):
            assert p.abs().max() == 0
        else:
            assert p.std().item() == pytest.approx(0.1 * (2 / p[0].numel()) ** 0.5, rel=0.05), name


def test_residuals_are_added_by_a_fifth():
    network = RRDBNet(width=4, blocks=1, growth=2)
    features = torch.rand(1, 4, 5, 5)
    block = network.body[0]
    inner = block.rdb3(block.rdb2(block.rdb1(features)))
    torch.testing.assert_close(block(features), features + 0.2 * inner)
    for parameter in block.rdb1.conv5.parameters():
        parameter.data.fill_(0)
    block.rdb1.conv5.bias.data.fill_(1)
    torch.testing.assert_close(block.rdb1(features), features + 0.2)


def test_channels_last_changes_the_layout_and_not_the_values():
    network = RRDBNet(width=8, blocks=1, growth=4)
    images = torch.rand(2, 3, 6, 6)
    plain = network(images)
    laid_out = network.to(memory_format=torch.channels_last)(images.contiguous(memory_format=torch.channels_last))
    assert laid_out.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(laid_out, plain, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 3}, "scale must be 1, 2, 4 or 8, got 3"),
        ({"blocks": 0}, "blocks must be at least 1, got 0"),
        ({"growth": 0}, "growth must be at least 1, got 0"),
        ({"in_channels": -1}, "in_channels must be at least 1, got -1"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        RRDBNet(**arguments)
