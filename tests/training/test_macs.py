"""Multiply-accumulates against counts worked out by hand."""

from __future__ import annotations

import torch
from torch import nn

from toolbox.training.macs import count_macs
from toolbox_plugins.cyclegan.generator import ResnetGenerator


def test_a_convolution_costs_its_kernel_times_its_output() -> None:
    assert count_macs(nn.Conv2d(3, 8, 3, padding=1), size=16) == 3 * 9 * 8 * 16 * 16


def test_cyclegans_generator_costs_the_sum_of_its_layers() -> None:
    edges = 2 * 3 * 49 * 64 * 128**2  # the two 7x7 convolutions
    downs_and_ups = 2 * (64 * 9 * 128 * 64**2 + 128 * 9 * 256 * 32**2)  # a transposed one costs what its mirror costs
    blocks = 9 * 2 * 256 * 9 * 256 * 32**2
    assert count_macs(ResnetGenerator(), size=128) == edges + downs_and_ups + blocks


def test_counting_leaves_the_network_as_it_was_and_wrong_images_give_none() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)).train()
    before = network[1].running_mean.clone()
    assert count_macs(network) is None and count_macs(network, channels=1)
    assert network.training and torch.equal(before, network[1].running_mean)


def test_a_network_that_wants_more_than_an_image_has_no_count() -> None:
    from toolbox.testing.networks import TinyFeatures

    assert count_macs(TinyFeatures()) is None
