"""SPAN against its published sizes, and against its authors' branches computed with functions alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox.io.errors import UserError
from toolbox.testing import check_generator
from toolbox.weights.importing import recognise
from toolbox_plugins.span.formats import BRANCHED, SPANOfficial
from toolbox_plugins.span.generator import SPAN

WIDTH = 4


def published_state(channels: int, scale: int) -> dict[str, Tensor]:
    """A file as the authors' training writes it: keys and shapes from its description, `eval_conv` out of date."""
    state = {}

    def conv(name: str, out: int, into: int, kernel: int) -> None:
        state[f"{name}.weight"] = torch.randn(out, into, kernel, kernel) / (into * kernel**2) ** 0.5
        state[f"{name}.bias"] = torch.randn(out) * 0.1

    for name in BRANCHED:
        into = channels if name == "conv_1" else WIDTH
        conv(f"{name}.sk", WIDTH, into, 1)
        conv(f"{name}.conv.0", 2 * into, into, 1)
        conv(f"{name}.conv.1", 2 * WIDTH, 2 * into, 3)
        conv(f"{name}.conv.2", WIDTH, 2 * WIDTH, 1)
        conv(f"{name}.eval_conv", WIDTH, into, 3)
    conv("conv_cat", WIDTH, 4 * WIDTH, 1)
    conv("upsampler.0", channels * scale**2, WIDTH, 3)
    return state


def span(state: dict[str, Tensor], images: Tensor, scale: int, mean: list[float]) -> Tensor:
    """What training computes: the image's frame of zeros passes all branches."""

    def one(name: str, x: Tensor) -> Tensor:
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"])

    def branches(name: str, x: Tensor) -> Tensor:
        framed = F.pad(x, (1, 1, 1, 1))
        inner = one(f"{name}.conv.2", one(f"{name}.conv.1", one(f"{name}.conv.0", framed)))
        return inner + one(f"{name}.sk", x)

    first = x = branches("conv_1", 255 * (images - torch.tensor(mean)[:, None, None]))
    outputs, activations = [], []
    for number in range(1, 7):
        activation = F.silu(branches(f"block_{number}.c1_r", x))
        third = branches(f"block_{number}.c3_r", F.silu(branches(f"block_{number}.c2_r", activation)))
        x = (third + x) * (1 / (1 + (-third).exp()) - 0.5)
        outputs.append(x)
        activations.append(activation)
    fused = one("conv_cat", torch.cat([first, branches("conv_2", x), outputs[0], activations[5]], 1))
    return F.pixel_shuffle(one("upsampler.0", F.pad(fused, (1, 1, 1, 1))), scale)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("channels", "more", "mean"),
    [
        (3, {}, [0.4488, 0.4371, 0.4040]),
        (1, {}, [(0.4488 + 0.4371 + 0.4040) / 3]),
        (3, {"no_norm": torch.zeros(1)}, None),
    ],
)
def test_a_published_file_gives_what_its_branches_compute(channels, more, mean, scale):
    state = published_state(channels, scale)
    images = torch.rand(2, channels, 6, 7)
    found = recognise({**state, **more}, "span.pth")
    assert found.config == {
        "type": "SPAN", "in_channels": channels, "out_channels": channels, "width": WIDTH, "scale": scale,
        "centred": not more,
    }  # fmt: skip
    network = SPAN(**{key: value for key, value in found.config.items() if key != "type"})
    network.load_state_dict(found.state, strict=True)
    given = images if mean else images / 255
    wanted = span(state, given, scale, mean or [0.0] * channels)
    output = network(images)
    assert output.shape == (2, channels, 6 * scale, 7 * scale)
    torch.testing.assert_close(output, wanted, atol=1e-4 * wanted.abs().max().item(), rtol=1e-4)


@pytest.mark.parametrize("centred", [True, False])
def test_a_written_file_gives_the_same_through_the_branches_of_the_authors(centred: bool):
    network = SPAN(width=WIDTH, scale=2, centred=centred)
    images = torch.rand(1, 3, 5, 6)
    state = SPANOfficial().restore(network.state_dict())
    given, mean = (images, [0.4488, 0.4371, 0.4040]) if centred else (images / 255, [0.0] * 3)
    torch.testing.assert_close(span(state, given, 2, mean), network(images), atol=1e-4, rtol=1e-4)
    again = recognise(state, "span.pth")
    assert again.config["centred"] is centred and again.state.keys() == network.state_dict().keys()
    assert all(torch.equal(value, again.state[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("width", "scale", "parameters"), [(48, 2, 410_700), (48, 4, 426_288), (52, 2, 481_324), (52, 4, 498_208)]
)
def test_the_sizes_are_the_published_ones(width: int, scale: int, parameters: int):
    assert sum(value.numel() for value in SPAN(width=width, scale=scale).parameters()) == parameters


def test_it_keeps_to_the_contract():
    check_generator(SPAN(width=4, scale=2), size=8)


@pytest.mark.parametrize("arguments", [{"width": 0}, {"scale": 0}, {"in_channels": 0}, {"out_channels": -1}])
def test_sizes_below_one_are_refused(arguments: dict[str, int]):
    with pytest.raises(UserError, match="must be at least 1"):
        SPAN(**arguments)


@pytest.mark.parametrize("block", [1, 3, 6])
def test_features_come_on_the_way_to_the_enlarged_images(block: int):
    torch.manual_seed(0)
    network, images = SPAN(width=8, scale=2), torch.rand(1, 3, 9, 7)
    large, features = network.enlarged_and_tapped(images, block)
    assert torch.equal(large, network(images)) and torch.equal(features, network.features_until(images, block))
