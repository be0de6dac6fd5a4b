"""CUT's networks in the layout of CUT's code, against its description computed from the files' keys alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox_plugins.cyclegan.discriminator import PatchDiscriminator
from toolbox_plugins.cyclegan.generator import ResnetGenerator
from toolbox_plugins.cyclegan.resampling import BlurDown, BlurUp

# ------------------------------------------------------------------ the networks of CUT's code


def blurred_down(x: Tensor) -> Tensor:
    """Reflect, weigh neighbours 1 2 1 both ways, keep every second: by slices."""
    x = F.pad(x, (1, 1, 1, 1), mode="reflect")
    x = (x[..., :-2, :] + 2 * x[..., 1:-1, :] + x[..., 2:, :]) / 4
    x = (x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]) / 4
    return x[..., ::2, ::2]


def blurred_up(x: Tensor) -> Tensor:
    """What weights 1 3 3 1 amount to: linear interpolation."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


@pytest.mark.parametrize("size", [(6, 8), (7, 5)])
def test_blurs_are_what_zhang_describes(size: tuple[int, int]) -> None:
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    torch.testing.assert_close(BlurDown(3).double()(x), blurred_down(x))
    torch.testing.assert_close(BlurUp(3).double()(x), blurred_up(x))


def instance(x: Tensor) -> Tensor:
    variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt()


def test_files_of_cuts_generator_give_what_its_description_computes() -> None:
    """Keys as read in the paper's code: convolutions 1, 4, 8, blocks from 12, convolutions 22, 26 and 30 after 9."""
    torch.manual_seed(0)
    blocks, width, state = 2, 4, {}
    after = 12 + blocks

    def conv(name: str, out: int, into: int, size: int) -> None:
        state[f"{name}.weight"] = torch.randn(out, into, size, size) * (into * size**2) ** -0.5
        state[f"{name}.bias"] = torch.randn(out) * 0.1

    conv("model.1", width, 3, 7)
    for place, c in ((4, width), (8, 2 * width)):
        conv(f"model.{place}", 2 * c, c, 3)
        state[f"model.{place + 3}.filt"] = torch.tensor([1.0, 2, 1])[:, None] * torch.tensor([1.0, 2, 1]) / 16
        state[f"model.{place + 3}.filt"] = state[f"model.{place + 3}.filt"].repeat(2 * c, 1, 1, 1)
    for block in range(12, after):
        for place in (1, 5):
            conv(f"model.{block}.conv_block.{place}", 4 * width, 4 * width, 3)
    for place, c in ((after, 4 * width), (after + 4, 2 * width)):
        row = torch.tensor([1.0, 3, 3, 1])
        state[f"model.{place}.filt"] = (row[:, None] * row / 16).repeat(c, 1, 1, 1)
        conv(f"model.{place + 1}", c // 2, c, 3)
    conv(f"model.{after + 9}", 3, width, 7)
    network = ResnetGenerator(width=width, blocks=blocks, antialias=True).eval()
    network.load_state_dict(state, strict=True)

    def apply(name: str, x: Tensor, pad: int = 0, **keywords: int) -> Tensor:
        x = F.pad(x, (pad,) * 4, mode="reflect") if pad else x
        return F.conv2d(x, state[f"model.{name}.weight"], state[f"model.{name}.bias"], **keywords)

    images = torch.rand(2, 3, 16, 20)
    x = instance(apply("1", images * 2 - 1, 3)).relu()
    for place in (4, 8):
        x = blurred_down(instance(apply(f"{place}", x, padding=1)).relu())
    for block in range(12, after):
        y = instance(apply(f"{block}.conv_block.1", x, 1)).relu()
        x = x + instance(apply(f"{block}.conv_block.5", y, 1))
    for place in (after + 1, after + 5):
        x = instance(apply(f"{place}", blurred_up(x), padding=1)).relu()
    expected = (apply(f"{after + 9}", x, 3).tanh() + 1) / 2
    with torch.no_grad():
        torch.testing.assert_close(network(images), expected, atol=1e-5, rtol=1e-5)


def test_cuts_networks_have_the_published_sizes_places_and_initial_weights() -> None:
    torch.manual_seed(0)
    generator = ResnetGenerator(antialias=True, initialization="xavier")
    assert sum(p.numel() for p in generator.parameters()) == 11_378_179  # a 3x3 convolution weighs alike either way
    keys = set(generator.state_dict())
    assert {"model.7.filt", "model.11.filt", "model.12.conv_block.1.weight", "model.20.conv_block.5.bias"} <= keys
    assert {"model.21.filt", "model.22.weight", "model.25.filt", "model.26.weight", "model.30.bias"} <= keys
    weight = generator.state_dict()["model.15.conv_block.1.weight"]
    assert weight.std().item() == pytest.approx(0.02 * (2 / (2 * 9 * 256)) ** 0.5, rel=0.02)
    judge = PatchDiscriminator(antialias=True)
    assert sum(p.numel() for p in judge.parameters()) == 2_764_737
    filters = {f"model.{place}.filt" for place in (2, 6, 10)}
    convolutions = {f"model.{place}.{kind}" for place in (0, 3, 7, 11, 14) for kind in ("weight", "bias")}
    assert set(judge.state_dict()) == filters | convolutions
    assert judge(torch.rand(1, 3, 64, 64))[0].shape == (1, 1, 6, 6)


def test_files_of_cuts_discriminator_give_what_its_description_computes() -> None:
    torch.manual_seed(0)
    network = PatchDiscriminator(width=4, antialias=True)
    state = {key: torch.randn_like(value) * 0.1 for key, value in network.state_dict().items() if "filt" not in key}
    network.load_state_dict(state, strict=False)
    images = torch.rand(2, 3, 48, 32)
    x = images * 2 - 1
    for place in (0, 3, 7, 11, 14):
        x = F.conv2d(x, state[f"model.{place}.weight"], state[f"model.{place}.bias"], padding=1)
        x = instance(x) if place in (3, 7, 11) else x
        x = F.leaky_relu(x, 0.2) if place < 14 else x
        x = blurred_down(x) if place < 11 else x
    with torch.no_grad():
        torch.testing.assert_close(network(images)[0], x, atol=1e-5, rtol=1e-5)
