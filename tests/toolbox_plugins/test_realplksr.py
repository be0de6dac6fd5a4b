"""RealPLKSR against its description, computed from a published state dictionary with functions alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox.assembly.reach import reach
from toolbox.io.errors import UserError
from toolbox.testing import check_generator
from toolbox.weights.importing import recognise
from toolbox_plugins.realplksr.dysample import DySample
from toolbox_plugins.realplksr.formats import points
from toolbox_plugins.realplksr.generator import RealPLKSR

WIDTH, KERNEL, PARTIAL, BLOCKS = 8, 5, 2, 2


def published_state(scale: int, *, norm: str, attention: bool, dysample: bool) -> dict[str, Tensor]:
    """A file as neosr writes it: keys and shapes from its description, not from our module."""
    state = {}

    def conv(name: str, out: int, into: int, kernel: int, bias: bool = True) -> None:
        state[f"{name}.weight"] = torch.randn(out, into, kernel, kernel) / (into * kernel**2) ** 0.5
        if bias:
            state[f"{name}.bias"] = torch.randn(out) * 0.3

    conv("feats.0", WIDTH, 3, 3)
    for number in range(1, BLOCKS + 1):
        block = f"feats.{number}"
        conv(f"{block}.channel_mixer.0", 2 * WIDTH, WIDTH, 3)
        conv(f"{block}.channel_mixer.2", WIDTH, 2 * WIDTH, 3)
        conv(f"{block}.lk.conv", PARTIAL, PARTIAL, KERNEL)
        if attention:
            conv(f"{block}.attn.f.0", WIDTH, WIDTH, 3)
        conv(f"{block}.refine", WIDTH, WIDTH, 1)
        for kind in ("weight", "bias"):
            state[f"{block}.{'norm' if norm == 'group' else 'layer_norm'}.{kind}"] = torch.randn(WIDTH)
    conv(f"feats.{BLOCKS + 2}", 3 * scale**2, WIDTH, 3)
    if dysample:
        groups = 3 if scale % 2 else 4
        conv("to_img.offset", 2 * groups * scale**2, 3 * scale**2, 1)
        conv("to_img.scope", 2 * groups * scale**2, 3 * scale**2, 1, bias=False)
        state["to_img.init_pos"] = torch.zeros(1, 2 * groups * scale**2, 1, 1)
        if scale > 1:
            conv("to_img.end_conv", 3, 3 * scale**2, 1)
    return state


def described(state: dict[str, Tensor], images: Tensor, scale: int) -> Tensor:
    """What the paper's figure 2 and the practitioners' changes to it say, in numpy where torch has a layer of it."""

    def conv(name: str, x: Tensor) -> Tensor:
        weight = state[f"{name}.weight"]
        return F.conv2d(x, weight, state.get(f"{name}.bias"), padding=weight.shape[-1] // 2)

    x = conv("feats.0", images)
    for number in range(1, BLOCKS + 1):
        name, inner = f"feats.{number}", x
        if f"{name}.layer_norm.weight" in state:
            values = inner.double()
            values = (values - values.mean(1, keepdim=True)) / (values.var(1, keepdim=True, correction=0) + 1e-6).sqrt()
            gain, bias = (state[f"{name}.layer_norm.{kind}"].view(1, -1, 1, 1) for kind in ("weight", "bias"))
            inner = (values * gain + bias).float()
        inner = conv(f"{name}.channel_mixer.0", inner)
        inner = conv(f"{name}.channel_mixer.2", inner * torch.tanh(torch.log1p(inner.exp())))
        inner = torch.cat([conv(f"{name}.lk.conv", inner[:, :PARTIAL]), inner[:, PARTIAL:]], 1)
        if f"{name}.attn.f.0.weight" in state:
            inner = inner / (1 + (-conv(f"{name}.attn.f.0", inner)).exp())
        inner = conv(f"{name}.refine", inner)
        if f"{name}.norm.weight" in state:
            grouped = inner.reshape(len(inner), 4, -1).double()
            grouped = (grouped - grouped.mean(2, keepdim=True)) / (
                grouped.var(2, keepdim=True, correction=0) + 1e-5
            ).sqrt()
            gain, bias = (state[f"{name}.norm.{kind}"].view(1, -1, 1, 1) for kind in ("weight", "bias"))
            inner = (grouped.reshape(inner.shape) * gain + bias).float()
        x = x + inner
    repeated = torch.stack([images[:, c // scale**2] for c in range(3 * scale**2)], 1)
    x = conv(f"feats.{BLOCKS + 2}", x) + repeated
    if "to_img.offset.weight" not in state:
        return F.pixel_shuffle(x, scale)
    found = sampled(x, conv("to_img.offset", x), torch.sigmoid(conv("to_img.scope", x)), scale)
    return conv("to_img.end_conv", found) if scale > 1 else found


def sampled(x: Tensor, offset: Tensor, scope: Tensor, scale: int) -> Tensor:
    """Bilinear sampling one point after the other; beyond the border is the border's pixel."""
    batch, channels, height, width = x.shape
    groups = 3 if scale % 2 else 4
    moved = (offset * scope * 0.5).reshape(batch, 2, groups, scale, scale, height, width).numpy()
    values = x.reshape(batch, groups, channels // groups, height, width).numpy()
    found = np.zeros((batch, groups, channels // groups, scale * height, scale * width))
    for b, g, i, j, row, column in np.ndindex(batch, groups, scale, scale, height, width):
        at_x = column + (j - (scale - 1) / 2) / scale + moved[b, 0, g, i, j, row, column]
        at_y = row + (i - (scale - 1) / 2) / scale + moved[b, 1, g, i, j, row, column]
        at_x, at_y = min(max(at_x, 0), width - 1), min(max(at_y, 0), height - 1)
        left, top = int(at_x), int(at_y)
        right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
        wx, wy = at_x - left, at_y - top
        v = values[b, g]
        found[b, g, :, row * scale + i, column * scale + j] = (
            v[:, top, left] * (1 - wx) * (1 - wy) + v[:, top, right] * wx * (1 - wy)
            + v[:, bottom, left] * (1 - wx) * wy + v[:, bottom, right] * wx * wy
        )  # fmt: skip
    return torch.from_numpy(found).float().reshape(batch, channels, scale * height, scale * width)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("norm", "attention", "dysample"),
    [("group", True, False), ("group", True, True), ("layer", False, True), ("layer", True, False)],
)
def test_a_published_file_gives_what_its_description_computes(
    scale: int, norm: str, attention: bool, dysample: bool
) -> None:
    torch.manual_seed(scale)
    state = published_state(scale, norm=norm, attention=attention, dysample=dysample)
    found = recognise(state, "realplksr.pth")
    assert found.config == {
        "type": "RealPLKSR", "in_channels": 3, "out_channels": 3, "width": WIDTH, "blocks": BLOCKS, "kernel": KERNEL,
        "share": 0.25, "attention": attention, "norm": norm, "scale": scale,
        "upsampler": "dysample" if dysample else "shuffle",
    }  # fmt: skip
    network = RealPLKSR(**{key: value for key, value in found.config.items() if key != "type"})
    network.load_state_dict(found.state, strict=True)
    images = torch.rand(2, 3, 5, 7)
    with torch.no_grad():
        output, wanted = network(images), described(state, images, scale)
    assert output.shape == (2, 3, 5 * scale, 7 * scale)
    torch.testing.assert_close(output, wanted, atol=2e-5, rtol=2e-5)


def test_dysample_begins_as_bilinear_enlargement() -> None:
    sampler = DySample(3, 2)
    torch.nn.init.zeros_(sampler.offset.weight)
    torch.nn.init.zeros_(sampler.offset.bias)
    sampler.project = torch.nn.Identity()
    features = torch.rand(1, 12, 6, 5)
    wanted = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(sampler(features), wanted, atol=1e-6, rtol=1e-6)


def test_a_written_file_names_the_points_at_which_dysample_begins() -> None:
    columns_then_rows = [-0.25, 0.25, -0.25, 0.25], [-0.25, -0.25, 0.25, 0.25]
    wanted = torch.tensor([*columns_then_rows[0] * 4, *columns_then_rows[1] * 4]).view(1, 32, 1, 1)
    assert torch.equal(points(3, 2), wanted)
    assert torch.equal(points(3, 1), torch.zeros(1, 6, 1, 1))


@pytest.mark.parametrize(
    ("arguments", "parameters"),
    [({}, 7_389_680), ({"upsampler": "dysample"}, 7_402_243), ({"blocks": 12, "kernel": 13}, 2_815_216)],
)
def test_the_sizes_are_those_of_the_published_networks(arguments: dict[str, Any], parameters: int) -> None:
    assert sum(value.numel() for value in RealPLKSR(**arguments).parameters()) == parameters


@pytest.mark.parametrize("upsampler", ["shuffle", "dysample"])
def test_it_keeps_to_the_contract(upsampler: str) -> None:
    check_generator(RealPLKSR(width=4, blocks=1, kernel=5, scale=2, upsampler=upsampler), size=8)


def test_layer_norm_looks_at_a_part_of_the_image_and_group_norm_at_all_of_it() -> None:
    found = {
        norm: reach(RealPLKSR(width=4, blocks=1, kernel=5, norm=norm).eval(), channels=3, scale=4, multiple=1)
        for norm in ("layer", "group")
    }
    assert found["layer"].local and found["layer"].halo == 1 + 2 + 2 + 1 + 1
    assert not found["group"].local


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"kernel": 4}, "kernel must be odd, got 4"),
        ({"width": 6}, "width must be a multiple of 4"),
        ({"share": 0.01}, "share must leave from 1"),
        ({"norm": "batch"}, "norm must be group or layer"),
        ({"upsampler": "nearest"}, "upsampler must be shuffle or dysample"),
        ({"out_channels": 1}, "out_channels must equal in_channels"),
        ({"scale": 0}, "scale must be at least 1"),
    ],
)
def test_what_it_cannot_be_is_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        RealPLKSR(**arguments)


def test_dysample_that_has_become_no_number_ends_no_process() -> None:
    sampling = DySample(8, 2)
    with torch.no_grad():
        sampling.offset.bias.fill_(torch.nan)
    sampling(torch.rand(2, 32, 16, 16, requires_grad=True)).sum().backward()


def test_dysample_in_half_precision_rounds_values_and_not_places() -> None:
    torch.manual_seed(0)
    sampler, features = DySample(8, scale=2), torch.rand(1, 32, 8, 256)
    exact = sampler(features.bfloat16().float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        near = sampler(features.bfloat16())
    assert (near.float() - exact).abs().mean() < 5e-3
