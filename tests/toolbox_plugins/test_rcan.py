"""RCAN against its description, computed from a published state dictionary with functions alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox.io.errors import UserError
from toolbox.testing import check_generator
from toolbox.weights.importing import recognise
from toolbox_plugins.rcan.generator import RCAN

WIDTH, REDUCTION, GROUPS, BLOCKS = 8, 4, 2, 3
MEAN = torch.tensor([0.4488, 0.4371, 0.4040])


def published_state(shuffles: list[int], *, folding: int, centred: bool) -> dict[str, Tensor]:
    """A file as the authors write it: keys and shapes from its description, not from our module."""
    state = {}

    def conv(name: str, out: int, into: int, kernel: int = 3) -> None:
        state[f"{name}.weight"] = torch.randn(out, into, kernel, kernel) / (into * kernel**2) ** 0.5
        state[f"{name}.bias"] = torch.randn(out) * 0.2

    if centred:
        for name, sign in (("sub_mean", -255), ("add_mean", 255)):
            state[f"{name}.weight"], state[f"{name}.bias"] = torch.eye(3).view(3, 3, 1, 1), sign * MEAN
    conv(f"head.{int(folding > 1)}", WIDTH, 3 * folding**2)
    for group in range(GROUPS):
        for block in range(BLOCKS):
            name = f"body.{group}.body.{block}.body"
            conv(f"{name}.0", WIDTH, WIDTH)
            conv(f"{name}.2", WIDTH, WIDTH)
            conv(f"{name}.3.conv_du.0", WIDTH // REDUCTION, WIDTH, 1)
            conv(f"{name}.3.conv_du.2", WIDTH, WIDTH // REDUCTION, 1)
        conv(f"body.{group}.body.{BLOCKS}", WIDTH, WIDTH)
    conv(f"body.{GROUPS}", WIDTH, WIDTH)
    for number, factor in enumerate(shuffles):
        conv(f"tail.0.{2 * number}", WIDTH * factor**2, WIDTH)
    conv("tail.1", 3, WIDTH)
    return state


def described(state: dict[str, Tensor], images: Tensor, shuffles: list[int], folding: int, centred: bool) -> Tensor:
    """Figure 2 and equations 1 to 11 of the paper."""

    def conv(name: str, x: Tensor) -> Tensor:
        weight = state[f"{name}.weight"]
        return F.conv2d(x, weight, state[f"{name}.bias"], padding=weight.shape[-1] // 2)

    x = 255 * images - 255 * MEAN.view(3, 1, 1) if centred else images
    if folding > 1:  # channel c * f * f + i * f + j is what lies at row i and column j of the squares
        x = torch.stack(
            [x[:, c, i::folding, j::folding] for c in range(3) for i in range(folding) for j in range(folding)], 1
        )
    first = x = conv(f"head.{int(folding > 1)}", x)
    for group in range(GROUPS):
        inner = x
        for block in range(BLOCKS):
            name = f"body.{group}.body.{block}.body"
            found = conv(f"{name}.2", conv(f"{name}.0", inner).clamp(min=0))
            means = found.sum((2, 3), keepdim=True) / (found.shape[2] * found.shape[3])
            weights = conv(f"{name}.3.conv_du.2", conv(f"{name}.3.conv_du.0", means).clamp(min=0))
            inner = inner + found / (1 + (-weights).exp())
        x = x + conv(f"body.{group}.body.{BLOCKS}", inner)
    x = first + conv(f"body.{GROUPS}", x)
    for number, factor in enumerate(shuffles):
        x = F.pixel_shuffle(conv(f"tail.0.{2 * number}", x), factor)
    x = conv("tail.1", x)
    return x / 255 + MEAN.view(3, 1, 1) if centred else x


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize(
    ("scale", "shuffles", "folding"),
    [(1, [], 1), (2, [2], 1), (3, [3], 1), (4, [2, 2], 1), (8, [2, 2, 2], 1), (1, [2, 2], 4), (2, [2, 2], 2)],
)
def test_a_published_file_gives_what_its_description_computes(
    scale: int, shuffles: list[int], folding: int, centred: bool
) -> None:
    torch.manual_seed(scale)
    state = published_state(shuffles, folding=folding, centred=centred)
    found = recognise(state, "rcan.pth")
    assert found.config == {
        "type": "RCAN", "in_channels": 3, "out_channels": 3, "width": WIDTH, "groups": GROUPS, "blocks": BLOCKS,
        "reduction": REDUCTION, "scale": scale, "fold": folding > 1, "centred": centred,
    }  # fmt: skip
    network = RCAN(**{key: value for key, value in found.config.items() if key != "type"})
    network.load_state_dict(found.state, strict=True)
    images = torch.rand(2, 3, 8, 12)
    with torch.no_grad():
        output, wanted = network(images), described(state, images, shuffles, folding, centred)
    assert output.shape == (2, 3, 8 * scale, 12 * scale) and network.multiple == folding
    torch.testing.assert_close(output, wanted, atol=1e-5 * wanted.abs().max().item(), rtol=1e-5)


def test_a_file_that_changes_colours_in_another_way_is_refused() -> None:
    state = published_state([2, 2], folding=1, centred=True)
    for key, value in (("sub_mean.weight", 0.5 * torch.eye(3).view(3, 3, 1, 1)), ("add_mean.bias", torch.zeros(3))):
        with pytest.raises(UserError, match="more than a mean taken away and put back"):
            recognise({**state, key: value}, "rcan.pth")
    with pytest.raises(UserError, match="folds pixels by 2 and enlarges by 2, where 2 or 4 and 4 are known"):
        recognise(published_state([2], folding=2, centred=True), "rcan.pth")


def test_the_size_is_the_published_one() -> None:
    # the published 15,592,379 count the mean's two 1x1 convolutions, 24 numbers
    assert sum(value.numel() for value in RCAN().parameters()) == 15_592_379 - 24


@pytest.mark.parametrize("arguments", [{"scale": 2}, {"scale": 2, "fold": True}, {"scale": 3, "centred": False}])
def test_it_keeps_to_the_contract(arguments: dict[str, Any]) -> None:
    check_generator(RCAN(width=4, groups=1, blocks=1, reduction=2, **arguments), size=8)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"scale": 5}, "scale must be 1, 2, 3, 4 or 8, got 5"),
        ({"fold": True}, "fold is for scale 1 and 2, got scale 4"),
        ({"reduction": 100}, "reduction must leave a channel of 64, got 100"),
        ({"out_channels": 1}, "out_channels must equal in_channels"),
        ({"groups": 0}, "groups must be at least 1"),
    ],
)
def test_what_it_cannot_be_is_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        RCAN(**arguments)
