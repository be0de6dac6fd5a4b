"""Graphs in the cache: read instead of made anew, thrown away where they are wrong, and never more than some."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from toolbox import Graph
from toolbox.inference import Options, Predictor, kept_graphs
from toolbox.inference.kept_graphs import kept_folder
from toolbox.inference.sessions import graph_of
from toolbox_plugins.srgan.srresnet import SRResNet

PICTURE = np.random.default_rng(0).integers(0, 256, (5, 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
IMAGES = torch.zeros(1, 3, 8, 8)


def network(seed: int) -> SRResNet:
    torch.manual_seed(seed)
    made = SRResNet(width=8, blocks=1, scale=2).eval()
    torch.nn.init.constant_(made.conv_last.bias, 0.2 * seed)  # so that networks differ by more than rounding does
    return made


def computed(seed: int, backend: str) -> np.ndarray:
    return Predictor(network(seed), options=Options(backend=backend))(PICTURE)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOOLBOX_CACHE", str(tmp_path))
    return tmp_path / "graphs"


@pytest.fixture
def none_is_made(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From when it is called, making a graph fails."""

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a graph is made that lies in the cache")

    return lambda: monkeypatch.setattr(Graph, "program", refuse)


def test_one_graph_serves_every_runtime_and_every_later_run(none_is_made: Callable[[], None], cache: Path) -> None:
    first = computed(0, "openvino")
    none_is_made()
    assert np.array_equal(computed(0, "openvino"), first)
    assert np.abs(computed(0, "onnxruntime").astype(int) - first).max() <= 1
    assert [len(list(each.iterdir())) for each in cache.iterdir()] == [1]


@pytest.mark.parametrize("content", [b"", b"no network", None], ids=["empty", "damaged", "of another network"])
def test_a_wrong_graph_is_made_anew(content: bytes | None, cache: Path) -> None:
    right = computed(0, "openvino")
    if content is None:
        computed(1, "openvino")
        mine, other = (kept_folder(graph_of(network(seed), IMAGES)) for seed in (0, 1))
        assert mine and other and mine != other
        content = next(other.iterdir()).read_bytes()
    else:
        mine = next(cache.iterdir())
    next(mine.iterdir()).write_bytes(content)
    assert np.array_equal(computed(0, "openvino"), right)
    assert next(mine.iterdir()).read_bytes() != content


def test_the_graphs_that_were_used_last_are_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_graphs, "MOST", 3)
    graphs = [graph_of(network(seed), IMAGES) for seed in range(4)]
    folders = [kept_folder(graph) for graph in graphs[:3]]
    for second, folder in enumerate(folders):
        assert folder
        os.utime(folder, (second, second))
    first, _, third = folders
    assert kept_folder(graphs[0]) == first
    fourth = kept_folder(graphs[3])
    assert set(cache.iterdir()) == {first, third, fourth}


def test_without_a_place_for_a_cache_graphs_are_made_for_the_run_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TOOLBOX_CACHE", str(tmp_path / "file"))
    assert kept_folder(graph_of(network(0), IMAGES)) is None
    assert np.abs(computed(0, "openvino").astype(int) - computed(0, "torch")).max() <= 1
