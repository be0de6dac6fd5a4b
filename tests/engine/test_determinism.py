"""Deterministic training: forms of layers whose backward torch refuses on GPUs, tested here against torch's on CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolbox.engine.determinism import DeterministicForms, check_deterministic, deterministic_training
from toolbox.io.errors import ConfigError

ON_CPU = ("cpu",)
LAYERS: dict[str, Callable[[Tensor], Tensor]] = {
    "reflect": nn.ReflectionPad2d((1, 3, 2, 0)),
    "reflect, cutting": lambda x: F.pad(x, (-1, 2, 3, -2), mode="reflect"),
    "reflect, one axis": lambda x: F.pad(x.flatten(0, 1), (2, 3), mode="reflect"),
    "bilinear, up": nn.Upsample(scale_factor=2, mode="bilinear"),
    "bilinear, corners": lambda x: F.interpolate(x, (9, 4), mode="bilinear", align_corners=True),
    "bilinear, a scale that is no whole number": lambda x: F.interpolate(x, scale_factor=1.3, mode="bilinear"),
    "the same, recomputed": lambda x: F.interpolate(x, scale_factor=1.3, mode="bilinear", recompute_scale_factor=True),
    "bicubic": lambda x: F.interpolate(x, (13, 20), mode="bicubic"),
    "bicubic, antialiased": lambda x: F.interpolate(x, (3, 2), mode="bicubic", antialias=True),
    "bicubic, scales of their own": lambda x: F.interpolate(x, scale_factor=(0.5, 2.0), mode="bicubic"),
    "linear": lambda x: F.interpolate(x.flatten(2), 100, mode="linear"),
    "trilinear": lambda x: F.interpolate(x[:, :, None].repeat(1, 1, 3, 1, 1), (2, 9, 9), mode="trilinear"),
    "area": lambda x: F.interpolate(x, (3, 5), mode="area"),
    "adaptive average": nn.AdaptiveAvgPool2d((3, None)),
    "adaptive average, to one": nn.AdaptiveAvgPool2d(1),
    "max pooling": nn.MaxPool2d(3, 2, padding=1, ceil_mode=True),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_form_has_torchs_values_and_gradients_to_the_second_order(name: str) -> None:
    layer = LAYERS[name]
    images = torch.randn(2, 2, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    images.requires_grad_()

    def form(values: Tensor) -> Tensor:
        with DeterministicForms(ON_CPU):
            return layer(values)

    torch.testing.assert_close(form(images), layer(images), rtol=1e-12, atol=1e-12)
    weights = torch.randn_like(layer(images))
    (ours,) = torch.autograd.grad((form(images) * weights).sum(), images)
    (theirs,) = torch.autograd.grad((layer(images) * weights).sum(), images)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    assert torch.autograd.gradcheck(form, images)
    assert torch.autograd.gradgradcheck(form, images)


ALERTED = ("ReflectionPad", "Upsample", "AdaptiveAvgPool", "MaxPool")


def _operations(tensor: Tensor) -> set[str]:
    """The names of the backward operations that lead to a tensor."""
    found: set[str] = set()
    open_ends: list[Any] = [tensor.grad_fn]
    while open_ends:
        node = open_ends.pop()
        if node is not None and node not in found:
            found.add(node.name())
            open_ends += [each for each, _ in node.next_functions]
    return found


@pytest.mark.parametrize("name", LAYERS)
def test_no_operation_that_torch_alerts_on_is_left_in_the_backward_pass(name: str) -> None:
    images = torch.rand(1, 2, 6, 7, requires_grad=True)
    with DeterministicForms(ON_CPU):
        left = _operations(LAYERS[name](images))
    assert not [each for each in left if each.startswith(ALERTED)]


def test_half_precision_is_rounded_once() -> None:
    images = torch.rand(1, 1, 8, 8).bfloat16().requires_grad_()
    with DeterministicForms(ON_CPU):
        form = F.interpolate(images, scale_factor=2, mode="bilinear")
    assert form.dtype == torch.bfloat16
    exact = F.interpolate(images.double(), scale_factor=2, mode="bilinear")
    assert (form.double() - exact).abs().max() <= 2**-8 * 1.5  # two axes, one rounding each of 8 bits


def test_what_is_not_differentiated_or_not_asked_for_is_torchs_own() -> None:
    images = torch.rand(1, 1, 6, 6)
    with deterministic_training(True, ON_CPU):
        assert "ReflectionPad" not in str(F.pad(images.requires_grad_(), (1, 1, 1, 1), mode="reflect").grad_fn)
        with torch.no_grad():
            assert torch.equal(nn.ReflectionPad2d(1)(images), F.pad(images, (1, 1, 1, 1), mode="reflect"))
    for on, devices in ((False, ON_CPU), (True, ("cuda",))):
        with deterministic_training(on, devices):
            assert "ReflectionPad" in str(F.pad(images, (1, 1, 1, 1), mode="reflect").grad_fn)


def test_torchs_own_errors_stay() -> None:
    images = torch.rand(1, 1, 3, 3, requires_grad=True)
    for pad, message in (((3, 0, 0, 0), "less than the corresponding input"), ((1, 0), "Padding size 2 is not")):
        with DeterministicForms(ON_CPU), pytest.raises((RuntimeError, NotImplementedError), match=message):
            F.pad(images, pad, mode="reflect")


def test_a_layer_without_a_form_is_named_before_the_run_with_the_way_out() -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 3), nn.Sequential(nn.AdaptiveMaxPool2d(2)))
    with pytest.raises(ConfigError) as caught:
        check_deterministic(model)
    assert str(caught.value) == (
        "randomness.deterministic: 1.0 is a AdaptiveMaxPool2d, which is not deterministic on GPUs; "
        "use nn.AdaptiveAvgPool2d or nn.MaxPool2d, or write deterministic: false"
    )
    check_deterministic(nn.Sequential(nn.ReflectionPad2d(1), nn.Upsample(scale_factor=2, mode="bicubic")))


def test_an_operation_that_torch_stops_at_is_named() -> None:
    told = "grid_sampler_2d_backward_cuda does not have a deterministic implementation, but you set 'torch.use_…"
    refusal = pytest.raises(ConfigError, match=r"deterministic: grid_sampler_2d_backward_cuda is not deterministic on")
    with refusal, deterministic_training(True):
        raise RuntimeError(told)
    with pytest.raises(RuntimeError, match="another"), deterministic_training(True):
        raise RuntimeError("another")
