"""Exported networks that lay a pattern over every picture: the file says after how many pixels, and tiles obey."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from painters import picture
from toolbox import UserError
from toolbox.assembly.export_graph import describe
from toolbox.assembly.graph import OutputGraph, as_metadata
from toolbox.inference.exported import ExportedNetwork
from toolbox.inference.options import Options
from toolbox.inference.predictor import Predictor
from toolbox_plugins.onnx.exporter import ONNX
from toolbox_plugins.painter.generator import PERIOD, StyleSPAN
from toolbox_plugins.span.generator import SPAN


@pytest.fixture(scope="module")
def painter() -> StyleSPAN:
    """A painter with strokes that is as little as it can be, and knows no picture but its surroundings."""
    torch.manual_seed(0)
    return StyleSPAN(
        styles=["only"],
        width=4,
        blocks=0,
        tap=0,
        scale=2,
        upscaler_width=4,
        norm="none",
        strokes=1,
        grain=True,
        chroma_subsampling=True,
    ).eval()


@pytest.fixture(scope="module")
def graph(painter: StyleSPAN) -> OutputGraph:
    made = OutputGraph(painter)
    made.metadata = as_metadata(describe(painter, made, 3, "nchw_float", None))
    return made


class Loaded:
    """A graph as if a runtime had loaded it, with what is said of it."""

    names = ("images",)

    def __init__(self, graph: OutputGraph, **said: Any) -> None:
        described = {**json.loads(graph.metadata["gan_toolbox"]), **said}
        kept = {key: value for key, value in described.items() if value is not None or key == "reach"}
        self.graph, self.metadata = graph, {"gan_toolbox": json.dumps(kept)}

    def __call__(self, tensors: Sequence[Tensor]) -> Tensor:
        with torch.no_grad():
            return self.graph(*tensors)


def opened(session: Any) -> ExportedNetwork:
    return ExportedNetwork(Path("x.onnx"), session, "onnxruntime", {})


def test_a_file_says_the_period_of_its_network(graph: OutputGraph) -> None:
    said = json.loads(graph.metadata["gan_toolbox"])
    assert (said["period"], said["multiple"], said["tiling"]) == (PERIOD, 1, "supported")
    bare = SPAN(width=4, scale=2).eval()
    assert describe(bare, OutputGraph(bare), 3, "nchw_float", None)["period"] == 1
    assert opened(Loaded(graph)).period == PERIOD


def test_a_file_that_does_not_say_it_has_none(graph: OutputGraph) -> None:
    assert opened(Loaded(graph, period=None)).period == 1


@pytest.mark.parametrize(
    ("period", "words"),
    [
        (0, "says period is 0, which cannot be"),
        (-64, "says period is -64, which cannot be"),
        (1 << 40, "says period is 1099511627776, which cannot be"),
        (1.5, "says period is 1.5, which cannot be"),
        ("x", "cannot be understood"),
        ([], "cannot be understood"),
    ],
)
def test_a_period_that_cannot_be_is_refused_in_one_line(period: Any, words: str, graph: OutputGraph) -> None:
    with pytest.raises(UserError, match=rf"^x\.onnx: .*{words}[^\n]*$"):
        opened(Loaded(graph, period=period))


@pytest.mark.parametrize("text", ["[]", "3", "null", '"period"', "{}", "{"])
def test_a_description_that_is_none_is_refused_in_one_line(text: str, graph: OutputGraph) -> None:
    session = Loaded(graph)
    session.metadata = {"gan_toolbox": text}
    with pytest.raises(UserError, match=r"^x\.onnx: what it says of itself \('gan_toolbox'\) cannot be understood$"):
        opened(session)


def test_tiles_of_an_exported_painter_equal_the_whole(graph: OutputGraph) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 330, 3), np.uint8)
    images = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    whole = opened(Loaded(graph))(images)[0].permute(1, 2, 0).numpy() * 255
    differences = []
    for said, tile in (({}, 64), ({}, 0), ({"period": 1}, 48)):
        made = Predictor(opened(Loaded(graph, **said)), options=Options(tile=tile))(pixels)
        differences.append(np.abs(made - whole).max())
    assert max(differences[:2]) < 1.5 and differences[2] > 5, "one that is told nothing would show its tiles"


def test_onnxruntime_paints_the_same_strokes_at_every_size(
    graph: OutputGraph, painter: StyleSPAN, tmp_path: Path
) -> None:
    ONNX().write(graph, tmp_path / "x.onnx")
    session = ONNX().open(tmp_path / "x.onnx")
    assert json.loads(session.metadata["gan_toolbox"])["period"] == PERIOD
    for size in ((20, 24), (37, 150)):
        with torch.no_grad():
            expected = painter(picture(*size))
        assert (session([picture(*size)]) - expected).abs().max() < 1e-5
