"""The painter's network: styles are chosen and mixed, strengths go from enlarging to painting, parts know the whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from painters import STYLES, network, picture
from toolbox import UserError
from toolbox.contracts.output import Condition
from toolbox_plugins.painter.generator import StyleSPAN
from toolbox_plugins.painter.norm import Statistics

ENLARGE = Path(__file__).parents[2] / "models/enlarge-x4/enlarge-x4.safetensors"


@torch.no_grad()
def test_strengths_go_from_the_upscaler_to_the_painting_in_even_steps() -> None:
    net, images = network(), picture()
    painted = net(images)
    assert torch.equal(net(images, torch.zeros(1)), net.upscaler(images))
    assert torch.allclose(net(images, torch.ones(1)), painted)
    half = net(images, torch.tensor([0.5]))
    assert torch.allclose(half, (painted + net.upscaler(images)) / 2, atol=1e-6)


@torch.no_grad()
def test_each_image_of_a_batch_has_its_own_style_and_strength() -> None:
    net, images = network(), picture().expand(3, -1, -1, -1)
    shares = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    strengths = torch.tensor([1.0, 0.5, 0.25])
    together = net(images, strengths, shares)
    for number in range(3):
        alone = net(images[:1], strengths[number : number + 1], shares[number : number + 1])
        assert torch.allclose(together[number], alone[0], atol=1e-5)
    assert (together[0] - net(images[:1], torch.ones(1), shares[1:2])[0]).abs().mean() > 0.01, "styles differ"


def test_the_upscaler_stands_still_and_everything_else_learns() -> None:
    net = network().train()
    net(picture(), None, torch.tensor([[0.5, 0.5]])).square().mean().backward()
    for name, parameter in net.named_parameters():
        stands = name.startswith("upscaler.")
        assert (parameter.grad is None) == stands and parameter.requires_grad != stands, name


@torch.no_grad()
def test_statistics_of_the_whole_are_used_for_a_part() -> None:
    net, images = network(), picture(48, 48)
    cut = images[..., 8:40, 8:40]
    part = net(cut, statistics=net.survey(images))
    inner = slice(4 * 13, 4 * 19)  # what the borders of the part do not reach
    assert torch.allclose(part[..., inner, inner], net(images)[..., 32:, 32:][..., inner, inner], atol=1e-4)
    assert (net(cut) - part).abs().max() > 1e-3, "a part by itself has statistics of its own"


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (5, 3)])
@torch.no_grad()
def test_pictures_may_be_as_small_as_they_like(size: tuple[int, int]) -> None:
    made = network()(picture(*size))
    assert made.shape[-2:] == (4 * size[0], 4 * size[1]) and made.isfinite().all()


@torch.no_grad()
def test_a_plain_picture_has_no_frame() -> None:
    """The upscaler's zeros around a picture are edges to it, and would be painted as a frame."""
    painter = StyleSPAN(styles=["only"], width=8, blocks=1).eval()
    painter.upscaler.load_state_dict(load_file(ENLARGE))
    images = torch.full((1, 3, 32, 40), 0.9)
    beside_zeros, found = painter.upscaler.features_until(images, painter.tap), painter.features_of(images)
    middle = beside_zeros[..., 16:17, 20:21]
    assert found.shape == beside_zeros.shape
    assert (beside_zeros - middle).abs().max() > 1 > 20 * (found - middle).abs().max()


@torch.no_grad()
def test_what_alternates_is_lost_before_an_enlargement_with_antialias() -> None:
    made, plain = network(antialias=True), network()
    assert made.state_dict().keys() == plain.state_dict().keys(), "weights of one fit the other"
    alternating = torch.tensor([1.0, -1.0]).repeat(8)[:, None] * torch.tensor([1.0, -1.0]).repeat(8)
    features = torch.rand(1, 8, 1, 1).expand(-1, -1, 16, 16)
    shares = made.shares(features, None)
    inner = (slice(None), slice(None), slice(16, -16), slice(16, -16))
    for painter, seen in ((made, False), (plain, True)):
        with torch.no_grad():
            one, other = (
                painter.finish(each, shares, Statistics(), [])[inner] for each in (features, features + alternating)
            )
        assert torch.allclose(one, other, atol=1e-6) != seen
        assert seen or one.std((2, 3)).max() < 1e-6


def test_without_norm_a_picture_is_known_by_its_surroundings_alone() -> None:
    net, images = network(norm="none"), picture(48, 48)
    assert net.survey(images) == []
    part, inner = net(images[..., 8:40, 8:40]), slice(4 * 13, 4 * 19)
    assert torch.allclose(part[..., inner, inner], net(images)[..., 32:, 32:][..., inner, inner], atol=1e-4)


@pytest.mark.parametrize("scale", [1, 2, 8])
@torch.no_grad()
def test_other_scales(scale: int) -> None:
    assert network(scale=scale)(picture()).shape[-2:] == (12 * scale, 16 * scale)


def test_norms_of_moments_given_are_those_of_moments_measured() -> None:
    features = torch.randn(2, 4, 5, 6) * 3 + 1
    measured = Statistics()
    first = measured.normalise(features)
    assert torch.allclose(Statistics(measured.found).normalise(features), first)
    expected = nn.functional.instance_norm(features, eps=1e-3)
    assert torch.allclose(first, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"styles": []}, "styles must be a list of at least one name"),
        ({"styles": ["a", "a"]}, "have one name"),
        ({"styles": ["a:b"]}, "is no name of a style"),
        ({"styles": ["3"]}, "is no name of a style"),
        ({"scale": 3}, "scale must be 1, 2, 4 or 8"),
        ({"tap": 7}, "tap from 0 to 6"),
        ({"norm": "batch"}, "norm must be instance or none"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        network(**arguments)


def test_a_mixture_is_named_by_its_shares() -> None:
    style = Condition("style", "mixture", labels=STYLES)
    assert style.value("hokusai").tolist() == [[0.0, 1.0]]
    assert style.value("1").tolist() == [[0.0, 1.0]]
    assert style.value("monet:1,hokusai:3").tolist() == [[0.25, 0.75]]
    assert style.value({"monet": 2}).tolist() == [[1.0, 0.0]]
    assert style.value(torch.tensor([1, 0])).tolist() == [[0.0, 1.0], [1.0, 0.0]]
    for wrong, words in (
        ("hokusay", "no label 'hokusay'; did you mean 'hokusai'"),
        ("monet:x", "share of monet must be a number, got 'x'"),
        ("monet:-1,hokusai:2", "shares must be 0 or more"),
        ("monet:0", "shares must be 0 or more, and one above"),
        ("monet:nan", "shares must be 0 or more"),
    ):
        with pytest.raises(UserError, match=words):
            style.value(wrong)


def test_a_new_style_begins_as_the_mean_of_those_that_the_network_knows_and_trains_alone() -> None:
    known, wider = network(), network(styles=[*STYLES, "new"], trains="styles")
    wider.load_state_dict(wider.fitted(known.state_dict()))
    norm, before = wider.blocks[0].get_submodule("norm1"), known.blocks[0].get_submodule("norm1")
    assert torch.equal(norm.scale[:2], before.scale) and torch.allclose(norm.scale[2], before.scale.mean(0))
    images, share = picture(), torch.tensor([[0.0, 1.0, 0.0]])
    with torch.no_grad():
        assert torch.allclose(wider(images, None, share), known(images, None, share[:, :2]), atol=1e-6)
    learned = {name for name, parameter in wider.named_parameters() if parameter.requires_grad}
    assert learned and all(name.rpartition(".")[2] in ("scale", "offset") for name in learned)
    with pytest.raises(UserError, match="trains must be all or styles"):
        network(trains="some")
