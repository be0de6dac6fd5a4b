"""Instance norm's gradient against float64 arithmetic, in every memory format that a tensor of one image can have."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from toolbox.training.instance_norm import SafeInstanceNorm2d, make_instance_norm_safe

FORMATS: dict[str, Callable[[Tensor], Tensor]] = {
    "contiguous": lambda t: t.clone(memory_format=torch.contiguous_format),
    "channels_last": lambda t: t.clone(memory_format=torch.channels_last),
    # As NumPy images arrive: (H, W, C), permuted; with one image the batch's stride is C, not C*H*W.
    "stacked": lambda t: (
        t[0].permute(1, 2, 0).contiguous().permute(2, 0, 1)[None] if len(t) == 1 else FORMATS["channels_last"](t)
    ),
    "viewed": lambda t: t.clone(memory_format=torch.channels_last).reshape(t.shape[0], *t.shape[1:]),
    "transposed": lambda t: t.mT.contiguous().mT,
}


def by_hand(images: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    variance, mean = torch.var_mean(images, dim=(2, 3), correction=0, keepdim=True)
    normal = (images - mean) / (variance + 1e-5).sqrt()
    return normal if weight is None or bias is None else normal * weight[:, None, None] + bias[:, None, None]


def make(channels: int, affine: bool) -> nn.InstanceNorm2d:
    norm = nn.InstanceNorm2d(channels, affine=affine)
    if affine:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias)
    return norm


def gradients(norm: nn.Module, images: Tensor, gradient: Tensor) -> list[Tensor]:
    images = images.detach().requires_grad_()
    return list(torch.autograd.grad(norm(images), [images, *norm.parameters()], gradient))


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize(
    "shape", [(1, 8, 9, 7), (3, 8, 9, 7), (1, 1, 6, 6), (3, 1, 6, 6), (1, 5, 1, 8), (1, 20, 16, 16)]
)
def test_output_and_gradients_equal_float64_in_every_pair_of_memory_formats(shape, affine):
    torch.manual_seed(0)
    norm = make(shape[1], affine)
    make_instance_norm_safe(norm)
    images, gradient = torch.randn(shape), torch.randn(shape)
    exact = images.double().requires_grad_()
    leaves = [p.detach().double().requires_grad_() for p in norm.parameters()]
    output = by_hand(exact, *(leaves or (None, None)))
    expected = torch.autograd.grad(output, [exact, *leaves], gradient.double())
    for name, other in product(FORMATS, FORMATS):
        given = FORMATS[name](images)
        torch.testing.assert_close(norm(given).double(), output, atol=1e-5, rtol=1e-5)
        for found, wanted in zip(gradients(norm, given, FORMATS[other](gradient)), expected, strict=True):
            torch.testing.assert_close(
                found.double(), wanted, atol=2e-5, rtol=1e-5, msg=lambda m, n=(name, other): f"{n}: {m}"
            )


def test_where_torchs_own_gradient_is_wrong_ours_is_right():
    torch.manual_seed(0)
    stock = nn.InstanceNorm2d(8)
    safe = copy.deepcopy(stock)
    make_instance_norm_safe(safe)
    images = torch.randn(1, 8, 9, 7).to(memory_format=torch.channels_last)
    gradient = torch.randn(1, 8, 9, 7).to(memory_format=torch.channels_last)
    exact = images.double().requires_grad_()
    (expected,) = torch.autograd.grad(by_hand(exact, None, None), exact, gradient.double())
    assert (gradients(safe, images, gradient)[0] - expected).abs().max() < 1e-5
    (theirs,) = gradients(stock, images, gradient)
    likeness = torch.cosine_similarity(theirs.flatten(), expected.flatten(), dim=0)
    assert likeness < 0.5, "torch's gradient is right: toolbox/instance_norm.py may go"  # 0.003 on torch 2.13


def test_a_generator_in_channels_last_trains_as_in_contiguous_memory():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.InstanceNorm2d(16), nn.ReLU(inplace=True), nn.Conv2d(16, 3, 3, padding=1)
    )
    other = copy.deepcopy(network).to(memory_format=torch.channels_last)
    for each in (network, other):
        make_instance_norm_safe(each)
    images = torch.rand(1, 3, 16, 16)
    network(images).square().sum().backward()
    other(images.to(memory_format=torch.channels_last)).square().sum().backward()
    for expected, found in zip(network.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(found.grad, expected.grad, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("name", FORMATS)
def test_first_and_second_derivatives_pass_the_numerical_check(name):
    torch.manual_seed(0)
    norm = make(2, affine=True).double()
    make_instance_norm_safe(norm)
    images = FORMATS[name](torch.randn(1, 2, 3, 3, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(norm, images)
    assert torch.autograd.gradgradcheck(norm, images)


def test_running_statistics_follow_torchs_own():
    torch.manual_seed(0)
    stock = nn.InstanceNorm2d(4, track_running_stats=True)
    safe = copy.deepcopy(stock)
    make_instance_norm_safe(safe)
    for batch in (1, 3, 1):
        images = torch.randn(batch, 4, 5, 5)
        torch.testing.assert_close(safe(images), stock(images))
    torch.testing.assert_close(safe.state_dict(), stock.state_dict())
    safe.eval(), stock.eval()
    images = torch.randn(1, 4, 5, 5)
    torch.testing.assert_close(safe(images), stock(images))


def test_the_swap_keeps_keys_values_and_subclasses_and_can_be_repeated():
    class Own(nn.InstanceNorm2d):
        pass

    network = nn.ModuleDict({"norm": make(4, affine=True), "own": Own(4), "batch": nn.BatchNorm2d(4)})
    before = copy.deepcopy(network.state_dict())
    for _ in range(2):
        make_instance_norm_safe(network)
    torch.testing.assert_close(network.state_dict(), before)
    assert [type(child) for child in network.values()] == [SafeInstanceNorm2d, Own, nn.BatchNorm2d]
    assert "SafeInstanceNorm2d(4, eps=1e-05" in repr(network)
    assert type(copy.deepcopy(network)["norm"]) is SafeInstanceNorm2d


def test_a_single_image_without_batch_and_a_single_pixel_behave_as_torchs_own():
    norm = nn.InstanceNorm2d(4)
    make_instance_norm_safe(norm)
    image = torch.randn(4, 5, 5)
    torch.testing.assert_close(norm(image), norm(image[None])[0])
    with pytest.raises(ValueError, match="more than 1"):
        norm(torch.randn(1, 4, 1, 1, requires_grad=True))
    with pytest.raises(ValueError, match="4D"):
        norm(torch.randn(1, 4))
