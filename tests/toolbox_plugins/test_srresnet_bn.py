"""The paper's SRResNet against an implementation from the state dictionary alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox.io.errors import UserError
from toolbox.testing import check_generator
from toolbox_plugins.srgan.srresnet_bn import SRResNetBN


def figure_4(state: dict[str, Tensor], images: Tensor, blocks: int, factors: list[int]) -> Tensor:
    """Figure 4 of the paper in evaluation mode, with functions only."""

    def conv(name: str, x: Tensor, size: int = 3) -> Tensor:
        return F.conv2d(x, state[f"{name}.weight"], state.get(f"{name}.bias"), padding=size // 2)

    def norm(name: str, x: Tensor) -> Tensor:
        parts = (state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        mean, variance, weight, bias = (part[:, None, None] for part in parts)
        return (x - mean) / (variance + 1e-5).sqrt() * weight + bias

    def act(name: str, x: Tensor) -> Tensor:
        return torch.where(x > 0, x, x * state[f"{name}.weight"])

    start = x = act("act_first", conv("conv_first", images, 9))
    for n in range(blocks):
        inner = act(f"body.{n}.act", norm(f"body.{n}.bn1", conv(f"body.{n}.conv1", x)))
        x = x + norm(f"body.{n}.bn2", conv(f"body.{n}.conv2", inner))
    x = start + norm("bn_body", conv("conv_body", x))
    for n, factor in enumerate(factors):
        x = act(f"act_up.{n}", F.pixel_shuffle(conv(f"upconv.{n}", x), factor))
    return conv("conv_last", x, 9) / 2 + 0.5


@pytest.mark.parametrize(("scale", "factors"), [(2, [2]), (3, [3]), (4, [2, 2])])
@pytest.mark.parametrize(("into", "out"), [(3, 3), (4, 1)])
def test_it_computes_figure_4(scale, factors, into, out):
    network = SRResNetBN(in_channels=into, out_channels=out, width=6, blocks=2, scale=scale).eval()
    for name, value in network.state_dict().items():
        if value.ndim == 1:  # norms, slopes and biases away from where they start
            value.copy_(torch.rand_like(value) + (0.5 if "var" in name else 0.1))
    images = torch.rand(2, into, 5, 7)
    expected = figure_4(network.state_dict(), images, 2, factors)
    assert expected.shape == (2, out, 5 * scale, 7 * scale)
    torch.testing.assert_close(network(images), expected, atol=1e-5, rtol=1e-5)


def test_its_parameters_are_those_of_the_figure():
    block = 2 * 64 * 64 * 9 + 4 * 64 + 1
    ends = (3 * 64 * 81 + 64 + 1) + (64 * 64 * 9 + 2 * 64) + 2 * (64 * 256 * 9 + 256 + 1) + (64 * 3 * 81 + 3)
    assert sum(p.numel() for p in SRResNetBN().parameters()) == 16 * block + ends == 1_547_350


def test_it_keeps_to_the_contract():
    check_generator(SRResNetBN(width=4, blocks=1, scale=2), size=8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"scale": 1}, "scale must be 2, 3, 4 or 8, got 1"), ({"blocks": 0}, "blocks must be at least 1, got 0")],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        SRResNetBN(**arguments)
