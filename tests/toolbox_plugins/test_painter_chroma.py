"""Colour at the small picture's resolution, light and shade at the output's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from painters import network, picture
from toolbox_plugins.degradations.jpeg import TO_YCC
from toolbox_plugins.painter.chroma import ChromaHead, coloured
from toolbox_plugins.recurrent_painter.generator import RecurrentStyleSPAN


def planes(images: Tensor) -> Tensor:
    """RGB (B, 3, H, W) to Y, Cb and Cr."""
    return torch.einsum("ij,bjhw->bihw", torch.tensor(TO_YCC), images)


def bends(plane: Tensor) -> float:
    """How much rows of (B, 1, H, W) differ from straight lines within a small pixel's four, away from the border."""
    rows = plane[..., 2:-2].unflatten(-1, (-1, 4))  # between the centres of two small pixels
    return rows.diff(n=2).abs().max().item()


@torch.no_grad()
def test_colour_goes_in_straight_lines_from_small_pixel_to_small_pixel_and_light_does_not() -> None:
    made = network(chroma_subsampling=True)
    assert made.chroma is not None
    for last in (made.last, made.chroma.last):
        last.weight.mul_(0.2)  # no colour is outside of RGB's cube
    painted = planes(made(picture()))
    assert bends(painted[:, 1:2]) < 1e-6 and bends(painted[:, 2:]) < 1e-6
    assert bends(painted[:, :1]) > 1e-3
    assert painted[:, 1:].std() > 1e-2  # there is colour


@torch.no_grad()
def test_without_it_colour_has_the_output_s_detail() -> None:
    assert bends(planes(network()(picture()))[:, 1:2]) > 1e-3


@pytest.mark.parametrize("value", [(0.5, 0.0, 0.0), (0.5, 0.2, -0.1), (0.3, -0.25, 0.2), (0.9, 0.5, 0.5)], ids=str)
def test_planes_become_the_colours_that_pillow_makes_of_them(value: tuple[float, float, float]) -> None:
    ycc = np.array([255 * value[0], *(255 * each + 128 for each in value[1:])]).round().clip(0, 255).astype(np.uint8)
    expected = np.asarray(Image.fromarray(ycc[None, None], "YCbCr").convert("RGB"))[0, 0] / 255
    found = coloured(torch.full((1, 1, 8, 8), value[0]), torch.tensor(value[1:]).view(1, 2, 1, 1).expand(1, 2, 2, 2), 4)
    assert found.shape == (1, 3, 8, 8)
    assert np.abs(found[0, :, 3, 3].numpy() - expected).max() < 2.5 / 255


@torch.no_grad()
@pytest.mark.parametrize("scale", [1, 2, 8])
def test_other_scales(scale: int) -> None:
    painted = network(scale=scale, chroma_subsampling=True)(picture(4, 6))
    assert painted.shape == (1, 3, 4 * scale, 6 * scale) and painted.min() >= 0 and painted.max() <= 1


@torch.no_grad()
def test_a_style_has_its_own_colours_and_a_part_those_of_the_whole() -> None:
    made, images = network(chroma_subsampling=True), picture(48, 48)
    first, second = (made(images, style=each[None]) for each in torch.eye(2))
    assert (planes(first) - planes(second))[:, 1:].abs().mean() > 1e-2
    part, inner = made(images[..., 8:40, 8:40], statistics=made.survey(images)), slice(4 * 13, 4 * 19)
    assert torch.allclose(part[..., inner, inner], first[..., 32:, 32:][..., inner, inner], atol=1e-4)


def test_gradients_reach_the_head_and_one_more_style_teaches_its_norm_alone() -> None:
    made = network(chroma_subsampling=True).train()
    made(picture()).square().mean().backward()
    assert made.chroma is not None
    assert all(each.grad is not None and each.grad.abs().sum() > 0 for each in made.chroma.parameters())
    head = network(chroma_subsampling=True, trains="styles").chroma
    assert isinstance(head, ChromaHead)
    assert [name for name, each in head.named_parameters() if each.requires_grad] == ["norm.scale", "norm.offset"]


def test_a_painter_of_films_begins_with_the_colours_of_the_painter_of_pictures() -> None:
    painter = network(chroma_subsampling=True)
    film = RecurrentStyleSPAN(styles=painter.styles, width=8, blocks=1, upscaler_width=8, chroma_subsampling=True)
    film.load_state_dict(film.fitted(painter.state_dict()))
    clip = torch.rand(1, 1, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        assert torch.allclose(film.eval()(clip)[:, 0], painter(clip[:, 0]), atol=1e-5)
