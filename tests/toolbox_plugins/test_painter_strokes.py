"""Noise for strokes: drawn out along what a picture shows, and what a painter makes of it where nothing is shown."""

from __future__ import annotations

from math import cos, radians, sin, tau

import pytest
import torch
from torch import Tensor

from painters import STYLES, network, picture
from toolbox import UserError
from toolbox_plugins.painter.generator import BRUSHES, PERIOD
from toolbox_plugins.painter.strokes import StrokeField, directions_of, drawn_out, resting
from toolbox_plugins.recurrent_painter.generator import RecurrentStyleSPAN

SMALL = {"styles": STYLES, "width": 8, "blocks": 1, "upscaler_width": 8, "scale": 2}


def stripes(degrees: float, size: int = 64) -> Tensor:
    """Lines (1, 3, size, size) along an angle from the right downwards, 8 pixels from one to the next."""
    down, right = torch.meshgrid(torch.arange(float(size)), torch.arange(float(size)), indexing="ij")
    angle = radians(degrees)
    across = cos(angle) * down - sin(angle) * right
    return (0.5 + 0.4 * torch.sin(tau / 8 * across)).expand(1, 3, -1, -1)


def doubled(degrees: float) -> Tensor:
    """The unit vector (1, 2, 1, 1) of twice an angle."""
    angle = 2 * radians(degrees)
    return torch.tensor([cos(angle), sin(angle)]).view(1, 2, 1, 1)


def correlation(noise: Tensor, degrees: float, pixels: float) -> float:
    """Of noise (B, C, H, W), which repeats, with itself some pixels further in a direction."""
    angle = radians(degrees)
    moved = noise.roll((round(pixels * sin(angle)), round(pixels * cos(angle))), (2, 3))
    return float((noise * moved).mean() / noise.square().mean())


def field(level: int = 0, planes: int = 4) -> StrokeField:
    """The noise that painters see at low resolution, or enlarged twice."""
    along, across = BRUSHES[level]
    return StrokeField(planes, period=PERIOD << level, along=along, across=across, seed=level).eval()


@pytest.mark.parametrize("degrees", [0, 22.5, 45, 60, 90, 120, 135])
def test_directions_are_those_of_stripes_with_their_angle_doubled(degrees: float) -> None:
    found = directions_of(stripes(degrees))
    inner = (slice(None), slice(None), slice(8, -8), slice(8, -8))  # what is beyond a border is not known
    assert float((found[inner] - doubled(degrees)).abs().max()) < 0.06
    assert torch.allclose(directions_of(stripes(degrees + 180))[inner], found[inner], atol=1e-3), "lines have no end"


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (64, 64)], ids=str)
def test_directions_of_plain_pictures_are_finite_and_one_long(size: tuple[int, int]) -> None:
    for level in (0.0, 0.5, 1.0):
        found = directions_of(torch.full((2, 3, *size), level))
        assert found.shape == (2, 2, *size) and found.isfinite().all()
        assert torch.allclose(found.square().sum(1), torch.ones(()), atol=1e-4)


def test_plain_ground_takes_the_direction_of_what_is_beside_it() -> None:
    images = torch.full((1, 3, 48, 48), 0.5)
    images[..., 24:] = stripes(120, 48)[..., 24:]
    beside = directions_of(images)[..., 24, 12:13].unsqueeze(2)
    assert float((beside * doubled(120)).sum()) > 0.8


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("degrees", [0, 30, 45, 90, 120])
def test_noise_is_drawn_out_along_stripes(degrees: float, level: int) -> None:
    brush = field(level)
    noise = brush(directions_of(stripes(degrees)), (brush.period, brush.period))
    pixels = BRUSHES[level][0]
    along, across = (correlation(noise, degrees + turned, pixels) for turned in (0, 90))
    assert along > 0.5 and across < 0.3


def test_noise_bends_where_directions_do() -> None:
    halves = doubled(0).repeat(1, 1, 64, 64)
    halves[..., 32:] = doubled(90)
    noise = field()(halves, (64, 64))
    for part, degrees in ((noise[..., :32], 0.0), (noise[..., 32:], 90.0)):
        steps = [part.diff(dim=dim).square().mean() for dim in ((3, 2) if degrees == 0 else (2, 3))]
        assert float(steps[0]) < 0.3 * float(steps[1]), degrees


@pytest.mark.parametrize("level", [0, 1])
def test_noise_has_no_mean_and_varies_as_much_in_every_direction(level: int) -> None:
    brush = field(level)
    side = brush.period
    made = drawn_out(2, side, *BRUSHES[level], seed=3)
    assert made.mean((2, 3)).abs().max() < 1e-5 and torch.allclose(made.var((2, 3)), torch.ones(()), atol=1e-3)
    variances = []
    for degrees in (0, 10, 22.5, 45, 80, 100, 150):
        noise = brush(doubled(degrees), (side, side))
        assert noise.mean((2, 3)).abs().max() < 1e-3
        variances.append(float(noise.var()))
    assert max(variances) < 1.06 * min(variances)


def test_planes_of_noise_know_nothing_of_each_other() -> None:
    noise = field(planes=3)(doubled(30), (PERIOD, PERIOD))[0].flatten(1)
    assert (torch.corrcoef(noise) - torch.eye(3)).abs().max() < 0.25


def test_noise_repeats_exactly_and_is_the_same_for_every_picture() -> None:
    brush = field()
    noise = brush(doubled(70).repeat(2, 1, 1, 1), (2 * PERIOD + 5, 3 * PERIOD))
    assert torch.equal(noise[0], noise[1])
    for dim, length in ((2, PERIOD + 5), (3, 2 * PERIOD)):
        assert torch.allclose(noise.narrow(dim, 0, length), noise.narrow(dim, PERIOD, length), atol=1e-5)
    assert torch.equal(noise, field()(doubled(70).repeat(2, 1, 1, 1), noise.shape[-2:])), "a seed says which it is"


def test_noise_is_moved_in_training_and_stays_in_use() -> None:
    brush, size = StrokeField(2, period=12, along=2.0), (12, 12)
    at_rest = brush.eval()(doubled(0), size)
    first, second = (brush.train()(doubled(0), size) for _ in range(2))
    assert not torch.allclose(first, second, atol=1e-3)
    places = [at_rest.roll((-top, -left), (2, 3)) for top in range(12) for left in range(12)]
    assert any(torch.allclose(first, place, atol=1e-5) for place in places), "moved, and no other"
    with resting(brush):
        assert torch.equal(brush(doubled(0), size), second), "where it was"
    assert brush.moves
    still = StrokeField(2, period=12, along=2.0)
    still.moves = False
    assert torch.equal(still(doubled(0), size), at_rest)


@pytest.mark.parametrize("scale", [1, 2, 4])
@torch.no_grad()
def test_strokes_are_painted_on_a_plain_ground(scale: int) -> None:
    plain, inner = torch.full((1, 3, 20, 24), 0.6), slice(8 * scale, -8 * scale)
    bare, stroked = (network(strokes=count, scale=scale)(plain) for count in (0, 2))
    assert bare.shape == stroked.shape == (1, 3, 20 * scale, 24 * scale)
    assert bare[..., inner, inner].std((2, 3)).max() < 1e-4 < 5e-3 < stroked[..., inner, inner].std((2, 3)).min()


@torch.no_grad()
def test_an_enlarged_picture_has_no_strokes() -> None:
    assert torch.equal(network(strokes=2)(picture(), 0.0), network(strokes=0)(picture(), 0.0))


def test_gradients_reach_the_weights_of_the_noise() -> None:
    net = network(strokes=2).train()
    net(picture()).square().mean().backward()
    for convolution in (net.first, net.finer[0]):
        weight = convolution.get_parameter("weight")
        assert weight.grad is not None and (weight.grad[:, -2:].abs().amax((0, 2, 3)) > 0).all()


def test_the_state_has_the_keys_of_a_painter_without_strokes() -> None:
    bare, stroked = (network(strokes=count).state_dict() for count in (0, 2))
    assert list(bare) == list(stroked)
    assert [key for key in bare if bare[key].shape != stroked[key].shape] == ["first.weight", "finer.0.weight"]


def test_fewer_than_no_strokes_are_refused() -> None:
    with pytest.raises(UserError, match="blocks and strokes 0 or more"):
        network(strokes=-1)


def test_a_painter_of_films_begins_with_the_strokes_of_the_painter_of_pictures_and_holds_them() -> None:
    painter, films = network(strokes=2, scale=2), RecurrentStyleSPAN(**SMALL, strokes=2).eval()
    films.load_state_dict(films.fitted(painter.state_dict()))
    clip = torch.rand(1, 2, 3, 12, 16)
    with torch.no_grad():
        assert torch.allclose(films(clip)[:, 0], painter(clip[:, 0]), atol=1e-5)
        first, again = (films.train()(clip) for _ in range(2))
    assert torch.equal(first, again), "between frames noise is not moved, in training neither"
