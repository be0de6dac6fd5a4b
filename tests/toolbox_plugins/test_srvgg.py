"""SRVGGNetCompact against its published sizes, and against what spandrel 0.4.2 computes from the same weights."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from toolbox.io.errors import UserError
from toolbox.testing import check_generator
from toolbox_plugins.realesrgan.srvgg import SRVGGNetCompact


def wave(shape: tuple[int, ...], k: int) -> Tensor:
    """Values of sin(k (n + 1)), n counted over the tensor: the same on every machine, whatever torch draws."""
    return torch.sin(torch.arange(math.prod(shape), dtype=torch.float64) * k + k).reshape(shape)


def basicsr_state(width: int, convs: int, scale: int, slopes: bool) -> dict[str, Tensor]:
    """A file in BasicSR's layout, written from its description; number k of its convolutions is filled by wave k."""
    channels = [(width, 3), *[(width, width)] * convs, (3 * scale**2, width)]
    state = {}
    for k, (out, into) in enumerate(channels, start=1):
        name = f"body.{2 * (k - 1)}"
        state[f"{name}.weight"] = (wave((out, into, 3, 3), k) * (4 / (9 * into)) ** 0.5).float()
        state[f"{name}.bias"] = (wave((out,), k) * 0.1).float()
        if slopes and k < len(channels):
            state[f"body.{2 * k - 1}.weight"] = (wave((out,), k) * 0.25).float()
    return state


@pytest.mark.parametrize(
    ("activation", "mean", "deviation", "pixel", "corner"),
    [
        # spandrel's SRVGGNetCompact(num_feat=8, num_conv=2, upscale=4, act_type=...) with basicsr_state(8, 2, 4, ...)
        # applied to wave((1, 3, 4, 8), 1) / 2 + 1 / 2: mean and deviation of the output, pixels [1, 2] and [-1, -1].
        ("prelu", 0.50682890, 0.36264223, (0.96363, 0.909405, 0.828444), (0.876038, 1.030562, 0.950323)),
        ("relu", 0.50681311, 0.36262846, (0.959779, 0.914882, 0.824033), (0.877393, 1.025734, 0.95625)),
    ],
)
def test_a_basicsr_file_gives_what_spandrel_computes(activation, mean, deviation, pixel, corner):
    network = SRVGGNetCompact(width=8, convs=2, activation=activation)
    network.load_state_dict(basicsr_state(8, 2, 4, activation == "prelu"), strict=True)
    output = network((wave((1, 3, 4, 8), 1) / 2 + 0.5).float()).detach()
    assert output.shape == (1, 3, 16, 32)
    assert (output.mean().item(), output.std().item()) == pytest.approx((mean, deviation), abs=1e-6)
    assert output[0, :, 1, 2].tolist() == pytest.approx(pixel, abs=3e-6)
    assert output[0, :, -1, -1].tolist() == pytest.approx(corner, abs=3e-6)


@pytest.mark.parametrize(("convs", "count", "last"), [(16, 621_424, 34), (32, 1_213_296, 66)])
def test_it_has_the_published_number_of_parameters_and_last_key(convs, count, last):
    network = SRVGGNetCompact(convs=convs)
    assert sum(p.numel() for p in network.parameters()) == count
    assert list(network.state_dict())[-1] == f"body.{last}.bias"


@pytest.mark.parametrize("activation", ["prelu", "relu", "leakyrelu"])
@pytest.mark.parametrize("scale", [1, 2, 3])
def test_every_activation_and_scale_keeps_to_the_contract(activation, scale):
    check_generator(SRVGGNetCompact(width=4, convs=1, scale=scale, activation=activation), size=8)


@pytest.mark.parametrize(("into", "out"), [(1, 1), (1, 3), (5, 5)])
def test_one_channel_is_added_to_each_and_several_to_their_own(into, out):
    network = SRVGGNetCompact(in_channels=into, out_channels=out, width=4, convs=0, scale=2)
    for parameter in network.parameters():
        parameter.data.fill_(0)
    images = torch.rand(1, into, 3, 4)
    expected = images.repeat_interleave(2, 2).repeat_interleave(2, 3).expand(1, out, 6, 8)
    assert torch.equal(network(images), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"activation": "gelu"}, "activation must be prelu, relu or leakyrelu, got 'gelu'"),
        ({"scale": 0}, "scale must be at least 1, got 0"),
        ({"convs": -1}, "convs must be at least 0, got -1"),
        ({"out_channels": 1}, r"out_channels must equal in_channels \(3\), got 1"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        SRVGGNetCompact(**arguments)
