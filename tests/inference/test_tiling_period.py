"""Tiles of networks that lay a pattern over every picture: they begin where it repeats, and equal the whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from painters import MODEL, network
from toolbox import Generator
from toolbox.assembly.build import build_algorithm
from toolbox.assembly.loading import TrainedOutput
from toolbox.inference.options import Options
from toolbox.inference.predictor import Predictor
from toolbox.inference.tiling import Span, alike, spans, tiled
from toolbox_plugins.painter.generator import PERIOD


def together(
    network: Callable[[Tensor], Tensor],
    images: Tensor,
    *,
    tile: int,
    halo: int,
    multiple: int = 1,
    feather: bool = False,
) -> Tensor:
    """The output put together from tiles."""
    result = torch.full_like(images, torch.nan)

    def store(y: int, x: int, part: Tensor) -> None:
        result[..., y : y + part.shape[-2], x : x + part.shape[-1]] = part

    with torch.inference_mode():
        tiled(network, images, store, tile=tile, halo=halo, multiple=multiple, feather=feather)
    return result


SIDES = [(150, 64, 50, 64), (330, 64, 50, 64), (641, 200, 70, 64), (65, 64, 1, 64), (63, 64, 9, 64), (100, 30, 5, 8)]


@pytest.mark.parametrize(("length", "tile", "halo", "multiple"), SIDES)
def test_spans_of_any_length_begin_at_multiples_and_see_their_halo(
    length: int, tile: int, halo: int, multiple: int
) -> None:
    bare = spans(length, tile, halo, multiple)
    assert (bare[0].start, bare[-1].stop) == (0, length)
    assert [each.start for each in bare[1:]] == [each.stop for each in bare[:-1]]
    for found in (bare, alike(bare, multiple)):
        for each, own in zip(found, bare, strict=True):
            assert (each.start, each.stop) == (own.start, own.stop) and 0 < each.stop - each.start <= max(
                tile, multiple
            )
            assert each.start % multiple == each.first % multiple == 0
            assert 0 <= each.first <= max(0, each.start - halo) and min(length, each.stop + halo) <= each.last <= length


@pytest.mark.parametrize(("length", "tile", "halo", "multiple"), SIDES)
def test_spans_made_alike_have_one_length_but_for_those_at_the_end(
    length: int, tile: int, halo: int, multiple: int
) -> None:
    bare = spans(length, tile, halo, multiple)
    most = max(each.last - each.first for each in bare)
    for each in alike(bare, multiple):
        seen = each.last - each.first
        assert seen == most or (each.last == length and most < seen < most + multiple)


@pytest.mark.parametrize(("length", "tile"), [(210, 210), (65, 100), (150, 191), (7, 64)])
def test_a_side_that_a_tile_covers_is_not_cut(length: int, tile: int) -> None:
    assert spans(length, tile, 0, 64) == [Span(0, length, 0, length)]


class Patterned(Generator):
    """Adds a pattern of 16x16 to its blurred images, wherever they begin, as a painter adds its noise."""

    def __init__(self) -> None:
        super().__init__()
        self.period = 16
        self.blur = nn.Conv2d(3, 3, 7, padding=3)
        self.register_buffer("pattern", torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)))

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        pattern = self.get_buffer("pattern").repeat(1, 1, height // 16 + 1, width // 16 + 1)
        return self.blur(images) * 0.1 + pattern[..., :height, :width]


def test_an_image_computed_whole_is_one_call_however_its_sides_divide() -> None:
    sizes: list[torch.Size] = []

    def seen(images: Tensor) -> Tensor:
        sizes.append(images.shape[-2:])
        return images

    together(seen, torch.rand(1, 3, 50, 70), tile=0, halo=0, multiple=16)
    assert sizes == [(50, 70)]


@pytest.mark.parametrize("size", [(50, 131), (133, 39), (100, 100)], ids=str)
@pytest.mark.parametrize("tile", [16, 40])
def test_tiles_of_a_patterned_network_equal_the_whole_where_they_begin_at_its_period(
    size: tuple[int, int], tile: int
) -> None:
    patterned, images = Patterned(), torch.rand(2, 3, *size)
    with torch.inference_mode():
        whole = patterned(images)
    with_period = together(patterned, images, tile=tile, halo=3, multiple=16)
    without = together(patterned, images, tile=tile, halo=3)
    assert (with_period - whole).abs().max() < 1e-5 and (without - whole).abs().max() > 0.5


@pytest.fixture(scope="module")
def painter() -> TrainedOutput:
    """A painter with strokes and grain, whose reach is measured once for all tests."""
    patterns = {"strokes": 2, "grain": True, "chroma_subsampling": True, "scale": 2}
    generator = {**MODEL["generator"], **patterns}
    made: Any = build_algorithm(
        {**MODEL, "generator": generator, "degradation": {"type": "BicubicDegradation", "scale": 2}}
    )
    made.generator.load_state_dict(network(**patterns).state_dict())
    return TrainedOutput(made, "fake_b", {"style": "hokusai"})


def levels(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def painted(painter: TrainedOutput, pixels: np.ndarray, tile: int) -> np.ndarray:
    return Predictor(painter, options=Options(tile=tile))(pixels).astype(int)


@pytest.fixture(scope="module")
def whole(painter: TrainedOutput) -> Callable[[np.ndarray], np.ndarray]:
    """The painting of a picture in one piece, by the network itself."""

    def made(pixels: np.ndarray) -> np.ndarray:
        images = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            return painter(images)[0].permute(1, 2, 0).numpy() * 255

    return made


@pytest.mark.parametrize("size", [(40, 330), (150, 70)], ids=str)
@pytest.mark.parametrize("tile", [64, 0])
def test_a_painting_with_strokes_in_tiles_equals_the_whole(
    size: tuple[int, int], tile: int, painter: TrainedOutput, whole: Callable[[np.ndarray], np.ndarray]
) -> None:
    assert painter.period == PERIOD
    pixels = levels(*size)
    assert np.abs(painted(painter, pixels, tile) - whole(pixels)).max() < 1.5


def test_tiles_that_do_not_begin_where_strokes_repeat_show(
    painter: TrainedOutput, whole: Callable[[np.ndarray], np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(painter, "period", 1)
    pixels = levels(40, 330)
    assert np.abs(painted(painter, pixels, 48) - whole(pixels)).max() > 10


@pytest.mark.parametrize(("length", "tile"), [(330, 64), (150, 64), (641, 100)])
def test_tiles_that_are_blended_overlap_whatever_the_period(length: int, tile: int) -> None:
    count = iter(range(1000))
    made = together(
        lambda part: torch.full_like(part, float(next(count))),
        torch.zeros(1, 1, 8, length), tile=tile, halo=32, multiple=64, feather=True,
    )  # fmt: skip
    steps = made[0, 0, 0].diff().abs()
    assert steps.max() < 0.02, "no tile ends at once"
