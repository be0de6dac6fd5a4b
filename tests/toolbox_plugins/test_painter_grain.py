"""Grain at the output's size: a canvas where the photograph shows nothing."""

from __future__ import annotations

import pytest
import torch

from painters import network, picture
from toolbox import UserError
from toolbox_plugins.painter.generator import PERIOD
from toolbox_plugins.painter.strokes import Grain, resting
from toolbox_plugins.recurrent_painter.generator import RecurrentStyleSPAN


def test_grain_has_no_mean_a_variance_of_one_and_is_two_or_three_pixels_wide() -> None:
    noise = Grain(period=256).eval()((256, 256))
    assert noise.shape == (1, 1, 256, 256)
    assert abs(noise.mean()) < 1e-5 and abs(noise.std() - 1) < 1e-4
    for axis in (2, 3):
        near, far = ((noise * noise.roll(step, axis)).mean() for step in (1, 3))
        assert near == pytest.approx(2 / 3, abs=0.02) and abs(far) < 0.02


def test_it_repeats_without_a_seam_is_always_the_same_and_moves_in_training_alone() -> None:
    grain = Grain(period=16).eval()
    noise = grain((40, 20))
    assert torch.equal(noise[..., 16:32, :], noise[..., :16, :]) and torch.equal(noise[..., 16:], noise[..., :4])
    assert torch.equal(Grain(period=16).eval()((40, 20)), noise)
    seam, inside = (noise[..., row + 1, :16] - noise[..., row, :16] for row in (15, 7))
    assert seam.abs().mean() < 2 * inside.abs().mean()
    first, second = (grain.train()((16, 16)) for _ in range(2))
    assert not torch.equal(first, second)
    with resting(grain):
        assert torch.equal(grain((16, 16)), second)


@torch.no_grad()
@pytest.mark.parametrize(("scale", "strokes"), [(2, 0), (2, 2), (4, 0), (4, 2), (8, 1)])
def test_on_plain_ground_it_paints_what_is_as_fine_and_of_each_style(scale: int, strokes: int) -> None:
    plain, inner = torch.full((2, 3, 20, 24), 0.6), slice(8 * scale, -8 * scale)
    made = network(grain=True, strokes=strokes, scale=scale)
    first, second = (made(plain, style=style.expand(2, -1))[..., inner, inner] for style in torch.eye(2))
    made.finer[-1].get_parameter("weight")[:, -1] = 0  # behind the planes of strokes
    drawn = first - made(plain)[..., inner, inner]
    assert drawn.std() > 1e-3
    assert drawn.diff(dim=3).abs().mean() > 0.3 * drawn.abs().mean(), "it changes from pixel to pixel"
    assert torch.allclose(first[0], first[1], atol=1e-5) and not torch.allclose(first, second, atol=1e-2)


@torch.no_grad()
def test_an_enlarged_picture_has_no_grain() -> None:
    assert torch.equal(network(grain=True)(picture(), 0.0), network()(picture(), 0.0))


def test_gradients_reach_its_weights_behind_those_of_the_strokes() -> None:
    net = network(grain=True, strokes=2, scale=2).train()
    net(picture()).square().mean().backward()
    weight = net.finer[0].get_parameter("weight")
    assert weight.shape[1] == 8 + 2 + 1
    assert weight.grad is not None and (weight.grad[:, -3:].abs().amax((0, 2, 3)) > 0).all()


def test_the_state_has_the_keys_of_a_painter_without() -> None:
    assert list(network(grain=True).state_dict()) == list(network().state_dict())
    assert network(grain=True).period == PERIOD and network().period == 1


def test_without_an_enlargement_it_is_refused() -> None:
    with pytest.raises(UserError, match="scale must be 2, 4 or 8"):
        network(grain=True, scale=1)


def test_between_the_frames_of_a_film_it_stays() -> None:
    painter = network(grain=True, chroma_subsampling=True)
    films = RecurrentStyleSPAN(
        styles=painter.styles, width=8, blocks=1, upscaler_width=8, grain=True, chroma_subsampling=True
    )
    films.load_state_dict(films.fitted(painter.state_dict()))
    clip = torch.rand(1, 2, 3, 12, 16)
    with torch.no_grad():
        first, again = (films.train()(clip) for _ in range(2))
        assert torch.equal(first, again)
        assert torch.allclose(films.eval()(clip)[:, 0], painter(clip[:, 0]), atol=1e-5)
