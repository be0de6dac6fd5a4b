"""A nearest-neighbour x2 and a convolution as one transposed convolution, and convolutions to few planes by blocks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad
from torch.utils.flop_counter import FlopCounterMode

from toolbox_plugins.cyclegan.resampling import blockwise_convolution, enlarged_convolution


def at_full_size(features: Tensor, weight: Tensor, bias: Tensor | None, border: str) -> Tensor:
    """What it stands for, as it is usually written."""
    return conv2d(pad(interpolate(features, scale_factor=2), (1, 1, 1, 1), mode=border), weight, bias)


@pytest.mark.parametrize("border", ["replicate", "reflect"])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (4, 3), (8, 8)], ids=str)
def test_it_is_a_convolution_of_what_is_enlarged(size: tuple[int, int], border: str) -> None:
    torch.manual_seed(0)
    for bias in (None, torch.randn(5).double()):
        features, weight = torch.randn(2, 4, *size).double(), torch.randn(5, 4, 3, 3).double()
        wanted = at_full_size(features, weight, bias, border)
        assert torch.allclose(enlarged_convolution(features, weight, bias), wanted, atol=1e-12)


def test_features_weights_and_bias_learn_as_they_would() -> None:
    torch.manual_seed(0)
    given = [torch.randn(each).double().requires_grad_() for each in ((2, 4, 6, 5), (5, 4, 3, 3), (5,))]
    seen = torch.randn(2, 5, 12, 10).double()
    found = torch.autograd.grad((enlarged_convolution(*given) * seen).sum(), given)
    wanted = torch.autograd.grad((at_full_size(*given, "replicate") * seen).sum(), given)
    for one, other in zip(found, wanted, strict=True):
        assert torch.allclose(one, other, atol=1e-12)


def test_it_multiplies_less_than_half_as_often() -> None:
    features, weight = torch.randn(1, 8, 64, 64), torch.randn(8, 8, 3, 3)
    counts = []
    for way in (
        lambda: enlarged_convolution(features, weight),
        lambda: at_full_size(features, weight, None, "reflect"),
    ):
        with FlopCounterMode(display=False) as counter:
            assert way().shape == (1, 8, 128, 128)
        counts.append(counter.get_total_flops())
    assert counts[0] < 0.5 * counts[1]


def test_what_lies_in_memory_channels_last_stays_so() -> None:
    features = torch.randn(1, 8, 6, 6).contiguous(memory_format=torch.channels_last)
    assert enlarged_convolution(features, torch.randn(8, 8, 3, 3)).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("planes", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (2, 5), (4, 3)], ids=str)
def test_planes_beside_of_the_result_s_size_are_convolved_with_it(size: tuple[int, int], planes: int) -> None:
    torch.manual_seed(0)
    features, beside = torch.randn(2, 4, *size).double(), torch.randn(2, planes, 2 * size[0], 2 * size[1]).double()
    weight, bias = torch.randn(5, 4 + planes, 3, 3).double(), torch.randn(5).double()
    wanted = at_full_size(features, weight[:, :4], bias, "replicate")
    wanted = wanted + conv2d(pad(beside, (1, 1, 1, 1), mode="reflect"), weight[:, 4:])
    assert torch.allclose(enlarged_convolution(features, weight, bias, beside), wanted, atol=1e-12)


def test_channels_last_stays_so_beside_planes_that_are_not() -> None:
    features, beside = torch.randn(1, 8, 6, 6), torch.randn(1, 2, 12, 12)
    for layout in (torch.channels_last, torch.contiguous_format):
        found = enlarged_convolution(features.contiguous(memory_format=layout), torch.randn(8, 10, 3, 3), None, beside)
        assert found.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("block", [1, 2, 4])
@pytest.mark.parametrize("planes", [1, 3])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_convolution_by_blocks_is_the_convolution(kernel: int, planes: int, block: int) -> None:
    torch.manual_seed(0)
    features = torch.randn(2, 6, 3 * block + kernel - 1, 2 * block + kernel - 1).double().requires_grad_()
    weight, bias = torch.randn(planes, 6, kernel, kernel).double().requires_grad_(), torch.randn(planes).double()
    found, wanted = blockwise_convolution(features, weight, bias, block), conv2d(features, weight, bias)
    assert torch.allclose(found, wanted, atol=1e-12)
    assert torch.allclose(blockwise_convolution(features, weight, None, block), conv2d(features, weight), atol=1e-12)
    seen = torch.randn_like(found)
    for one, other in zip(
        *(torch.autograd.grad((each * seen).sum(), (features, weight)) for each in (found, wanted)), strict=True
    ):
        assert torch.allclose(one, other, atol=1e-11)
