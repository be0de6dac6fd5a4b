"""The restoring U-Net: any size by its multiple, a residual, nothing that ties an image to its batch."""

from __future__ import annotations

import pytest
import torch

from toolbox.contracts.gan_variant import BATCH_NORMS
from toolbox.io.errors import UserError
from toolbox.testing import check_generator
from toolbox.training.network_call import call_padded
from toolbox_plugins.unet.restorer import UNetRestorer


@pytest.mark.parametrize(("levels", "multiple"), [(1, 2), (2, 4), (4, 16)])
def test_sizes_are_multiples_of_a_power_of_its_levels_and_any_with_padding(levels, multiple):
    network = UNetRestorer(width=2, levels=levels)
    assert (network.scale, network.multiple) == (1, multiple)
    assert call_padded(network, torch.rand(1, 3, 17, 23)).shape == (1, 3, 17, 23)
    check_generator(network, size=16)


def test_untrained_it_all_but_returns_its_input():
    images = torch.rand(1, 3, 16, 16)
    assert (UNetRestorer()(images) - images).abs().max() < 0.02


def test_the_features_of_the_way_down_are_added():
    network = UNetRestorer(width=4, levels=2)
    for parameter in network.up.parameters():  # cut what comes from below: the features of the way down remain
        parameter.data.fill_(0)
    images = torch.zeros(1, 3, 64, 64, requires_grad=True)
    network(images)[0, :, 32, 32].sum().backward()
    assert images.grad is not None
    rows = images.grad.abs().sum((0, 1, 3)).nonzero().flatten()
    assert (rows.min().item(), rows.max().item()) == (26, 38)  # six 3x3 convolutions: 6 pixels each way


def test_its_parameters_are_those_of_its_description():
    widths, count = [8, 16, 32], (3 * 8 * 9 + 8) + (8 * 3 * 9 + 3)
    pairs = [2 * (c * c * 9 + c) for c in widths]
    count += 2 * sum(pairs[:-1]) + pairs[-1]
    for c, d in ((8, 16), (16, 32)):
        count += (c * d * 4 + d) + (d * 4 * c + 4 * c)
    network = UNetRestorer(width=8, levels=2)
    assert sum(p.numel() for p in network.parameters()) == count
    assert not any(isinstance(module, BATCH_NORMS) for module in network.modules())


@pytest.mark.parametrize(("into", "out"), [(1, 1), (1, 3), (5, 5)])
def test_one_channel_is_added_to_each_and_several_to_their_own(into, out):
    network = UNetRestorer(in_channels=into, out_channels=out, width=2, levels=1)
    for parameter in network.conv_last.parameters():
        parameter.data.fill_(0)
    images = torch.rand(1, into, 4, 6)
    assert torch.equal(network(images), images.expand(1, out, 4, 6))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"levels": 0}, "levels must be at least 1, got 0"),
        ({"width": 0}, "width must be at least 1, got 0"),
        ({"out_channels": 1}, r"out_channels must equal in_channels \(3\), got 1"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        UNetRestorer(**arguments)
