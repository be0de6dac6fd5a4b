"""Other runtimes compute what PyTorch computes: pixels of every kind, tiles, styles; and `auto` takes the fastest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from runs import command, refused
from toolbox import Backend, Graph, Session, UserError
from toolbox.assembly.export_graph import export_graph
from toolbox.assembly.graph import OutputGraph
from toolbox.assembly.loading import trained_network
from toolbox.inference import Options, Predictor, load, serving
from toolbox.io.images import read_image, write_image
from toolbox.plugins.registry import registry
from toolbox_plugins.onnx.exporter import ONNX
from toolbox_plugins.span.generator import SPAN
from toolbox_plugins.srgan.srresnet import SRResNet

RNG = np.random.default_rng(0)
SMOOTH = RNG.integers(0, 256, (6, 9, 4), dtype=np.uint8).repeat(8, 0).repeat(8, 1)[:45, :67]
BACKENDS = ("onnxruntime", "openvino", "torch")


def levels(one: np.ndarray, other: np.ndarray) -> int:
    """The largest difference in levels of 8 bits."""
    scale = 257 if one.dtype == np.uint16 else 1
    return int(np.abs(one.astype(int) - other.astype(int)).max()) // scale


@pytest.fixture(scope="module")
def network() -> SRResNet:
    torch.manual_seed(0)
    return SRResNet(width=8, blocks=2, scale=2).eval()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("tile", [None, 32])
def test_every_kind_of_pixel_is_within_a_level_of_pytorch(network: SRResNet, backend: str, tile: int | None) -> None:
    here = Predictor(network, options=Options(backend="torch"))
    there = Predictor(network, options=Options(backend=backend, tile=tile))
    for array in (SMOOTH[..., :3], SMOOTH[..., 0], SMOOTH[..., :3].astype(np.uint16) * 257):
        assert levels(there(array), here(array)) <= 1
    with_alpha = there(SMOOTH, alpha=True)
    assert with_alpha.shape == (90, 134, 4) and levels(with_alpha, here(SMOOTH, alpha=True)) <= 1


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
@pytest.mark.parametrize(
    ("name", "chosen"),
    [("enlarge-x4", {}), ("palette-x4", {"strength": 0.5}), ("painter-x4", {"style": "van-gogh:0.5,kandinsky:0.5"})],
)
def test_shipped_models_are_within_a_level_of_pytorch(name: str, chosen: dict[str, Any], backend: str) -> None:
    options = {"tile": 32, "overlap": 8}
    here = load(name, chosen=chosen, options=Options(backend="torch", **options), note=lambda line: None)
    there = load(name, chosen=chosen, options=Options(backend=backend, **options), note=lambda line: None)
    assert levels(there(SMOOTH[..., :3]), here(SMOOTH[..., :3])) <= 1


def test_bfloat16_is_asked_for_and_stays_near() -> None:
    torch.manual_seed(0)
    network = SRResNet(width=16, blocks=2, scale=2).eval()
    exact = Predictor(network, options=Options(backend="torch"))(SMOOTH[..., :3]).astype(float)
    same = Predictor(network, options=Options(backend="openvino"))(SMOOTH[..., :3]).astype(float)
    near = Predictor(network, options=Options(backend="openvino", precision="bf16"))(SMOOTH[..., :3]).astype(float)
    assert np.abs(same - exact).max() <= 1, "float32 was asked for, and OpenVINO took another precision"
    assert 10 * np.log10(255**2 / max(1e-9, float(np.square(near - exact).mean()))) > 40


class Doubling(Backend):
    """Computes in PyTorch, and counts."""

    calls: list[tuple[int, ...]] = []
    wrong = 0.0

    def prepare(self, graph: Graph, folder: Path, *, precision: str = "fp32") -> Session:
        backend = self

        class Counted:
            names = [each.name for each in graph.inputs]
            metadata: dict[str, str] = {}

            def __call__(self, tensors: Sequence[Tensor]) -> Tensor:
                backend.calls.append(tuple(tensors[0].shape))
                with torch.no_grad():
                    return graph(*tensors) + backend.wrong

        return Counted()


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Doubling]:
    """`Doubling` is the only backend beside PyTorch, and is twice as fast; any work is enough to try it."""
    monkeypatch.setenv("TOOLBOX_CACHE", str(tmp_path / "cache"))
    Doubling.calls, Doubling.wrong = [], 0.0
    kinds = {"doubling": Doubling, "torch": registry("backends").get("torch")}
    monkeypatch.setattr(registry("backends"), "names", lambda: sorted(kinds))
    monkeypatch.setattr(registry("backends"), "get", lambda name: kinds[name])
    monkeypatch.setattr(serving, "WORTH", 0.0)
    monkeypatch.setattr(serving, "KNOWN", 0.0)
    monkeypatch.setattr(serving, "LOOKED", 0.0)
    monkeypatch.setattr(serving, "_race", lambda ways, images, seconds: {"torch": 1.0, "doubling": 0.5})
    return Doubling


def test_auto_goes_on_with_the_fastest_and_says_so(network: SRResNet, only: type[Doubling]) -> None:
    said: list[str] = []
    predictor = Predictor(network, options=Options(tile=32, overlap=8), note=said.append)
    made = predictor(SMOOTH[..., :3])
    assert said == ["doubling computes from here, in fp32; times as fast as torch, of one tile: doubling 2.00"]
    assert len(only.calls) == 6, "the probe, and five of six tiles"
    assert levels(made, Predictor(network, options=Options(backend="torch"))(SMOOTH[..., :3])) == 0


def test_auto_remembers_the_fastest_and_begins_with_it(
    network: SRResNet, only: type[Doubling], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = Options(tile=32, overlap=8)
    Predictor(network, options=options, note=lambda line: None)(SMOOTH[..., :3])
    only.calls.clear()
    monkeypatch.setattr(serving, "_race", lambda *given: pytest.fail("nothing is timed a second time"))
    said: list[str] = []
    Predictor(network, options=options, note=said.append)(SMOOTH[..., :3])
    assert said == ["doubling computes from here, in fp32; it was the fastest for this network before"]
    assert len(only.calls) == 6
    only.calls.clear()
    torch.manual_seed(1)
    other = SRResNet(width=8, blocks=2, scale=2).eval()
    monkeypatch.setattr(serving, "_race", lambda ways, images, seconds: dict.fromkeys(ways, 1.0))
    for _ in range(2):  # of another network nothing is known; then it is known that PyTorch is as fast
        Predictor(other, options=options, note=said.append)(SMOOTH[..., :3])
    assert len(only.calls) == 1 and len(said) == 2 and "torch computes this network" in said[1]


def test_a_runtime_that_was_the_fastest_and_fails_now_is_tried_once(
    network: SRResNet, only: type[Doubling], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = Options(tile=32, overlap=8)
    Predictor(network, options=options, note=lambda line: None)(SMOOTH[..., :3])
    only.calls.clear()
    only.wrong = 0.02
    monkeypatch.setattr(serving, "WORTH", 1e9)
    said: list[str] = []
    Predictor(network, options=options, note=said.append)(SMOOTH[..., :3])
    assert len(said) == len(only.calls) == 1 and "is left out" in said[0]


def test_a_kept_graph_is_taken_where_it_is_done_sooner_its_beginning_included(
    network: SRResNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLBOX_CACHE", str(tmp_path / "cache"))
    for name in ("WORTH", "LOOKED", "KNOWN"):
        monkeypatch.setattr(serving, name, 0.0)
    race = {"torch": 2e-6, "openvino": 1e-6, "onnxruntime": 1.5e-6}
    monkeypatch.setattr(serving, "_race", lambda ways, images, seconds: {name: race[name] for name in ways})
    options, said = Options(tile=32, overlap=8), []
    Predictor(network, options=options, note=said.append)(SMOOTH[..., :3])
    Predictor(network, options=options, note=said.append)(SMOOTH[..., :3])
    assert ["openvino computes from here" in line for line in said] == [True, True] and "before" in said[1]
    (file,) = (tmp_path / "cache" / "graphs").glob("*/fastest.json")
    ((here, kept),) = json.loads(file.read_text()).items()
    numbers = 45 * 67 * 3
    assert kept["name"] == "openvino" and kept["torch"] == 2 * kept["seconds"] and kept["begin"] > 0
    for begin, taken in ((0.99 * numbers * kept["seconds"], True), (1.01 * numbers * kept["seconds"], False)):
        file.write_text(json.dumps({here: {**kept, "begin": begin}}))
        told: list[str] = []
        Predictor(network, options=options, note=told.append)(SMOOTH[..., :3])
        assert bool(told) == taken


@pytest.mark.parametrize("damage", ["", "[]", "null", "[1]", "{}", '{"HERE": "openvino"}'])
def test_what_was_the_fastest_may_be_damaged(
    network: SRResNet, only: type[Doubling], damage: str, tmp_path: Path
) -> None:
    options, said = Options(tile=32, overlap=8), []
    Predictor(network, options=options, note=said.append)(SMOOTH[..., :3])
    (file,) = (tmp_path / "cache" / "graphs").glob("*/fastest.json")
    file.write_text(damage.replace("HERE", *json.loads(file.read_text())))
    Predictor(network, options=options, note=said.append)(SMOOTH[..., :3])
    assert said[0] == said[1], "it is timed again"


def test_a_race_takes_turns_and_knows_the_least_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now, order = [0.0], []
    monkeypatch.setattr(serving, "perf_counter", lambda: now[0])

    def way(name: str, *seconds: float) -> Any:
        taken = iter(seconds)

        def call(images: Tensor) -> Tensor:
            order.append(name)
            now[0] += next(taken)
            return images

        return call

    ways = {"torch": way("torch", 3, 2, 9), "other": way("other", 1, 4, 9)}
    assert serving._race(ways, torch.zeros(1), seconds=9.0) == {"torch": 2.0, "other": 1.0}
    assert order == ["torch", "other"] * 2, "ten seconds were spent, and nine are the most"
    ways = {"torch": way("torch", *[1] * 9), "other": way("other", *[2] * 9)}
    assert serving._race(ways, torch.zeros(1), seconds=8.0) == {"torch": 1.0, "other": 2.0}
    assert len(order) == 4 + 6, "three rounds were begun within eight seconds"


def test_auto_leaves_out_what_computes_something_else(network: SRResNet, only: type[Doubling]) -> None:
    only.wrong = 0.02
    said: list[str] = []
    Predictor(network, options=Options(tile=32, overlap=8), note=said.append)(SMOOTH[..., :3])
    assert len(said) == 1 and "doubling: is left out, its tile differs from PyTorch's by 0.02" in said[0]
    assert len(only.calls) == 1


def test_auto_stays_with_pytorch_where_little_is_to_be_done(network: SRResNet, only: type[Doubling]) -> None:
    serving.WORTH = 1e9
    Predictor(network, options=Options(tile=32, overlap=8), note=lambda line: pytest.fail(line))(SMOOTH[..., :3])
    assert not only.calls


def test_auto_knows_how_much_is_planned(network: SRResNet, only: type[Doubling], monkeypatch: Any) -> None:
    clock = iter(float(second) for second in range(100))
    monkeypatch.setattr(serving, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(serving, "WORTH", 30.0)
    predictor = Predictor(network, options=Options(), note=lambda line: None)
    predictor.server.plan(SMOOTH[..., :3].size * 31)
    predictor(SMOOTH[..., :3])
    assert not only.calls, "a second for each of thirty that are left is not more than thirty"
    predictor.server.plan(SMOOTH[..., :3].size * 33)
    predictor(SMOOTH[..., :3])
    assert only.calls


@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_an_exported_file_is_enough_as_weights(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_image(Path("in.png"), SMOOTH[..., :3])
    name = {".onnx": "onnx", ".xml": "openvino"}[suffix]
    file = f"palette{suffix}"
    assert command("export", "--weights", "palette-x4", "--format", name, "-o", file) == 0
    Path(f"{file}.json").unlink()
    assert command("infer", "in.png", "-o", "there", "--weights", file, "--strength", "0.5", "--tile", "32") == 0
    assert command("infer", "in.png", "-o", "here", "--weights", "palette-x4", "--strength", "0.5", "--tile", "32") == 0
    assert levels(read_image("there/in.png"), read_image("here/in.png")) <= 1
    predictor = load(file)
    assert (predictor.scale, predictor.channels, predictor.keeps_colors) == (4, 3, False)


def test_a_style_is_chosen_of_a_file_by_name(tmp_path: Path) -> None:
    export_graph(trained_network("painter-x4"), "onnx", tmp_path / "painter.onnx")
    images = SMOOTH[:40, :40, :3]
    made = load(tmp_path / "painter.onnx", chosen={"style": "kandinsky", "strength": 1.0})(images)
    wanted = load("painter-x4", chosen={"style": "kandinsky"})(images)
    assert levels(made, wanted) <= 1
    with pytest.raises(UserError, match="has no label 'kandinski'; did you mean 'kandinsky'"):
        load(tmp_path / "painter.onnx", chosen={"style": "kandinski"})
    with pytest.raises(UserError, match="strength must be from 0 to 1"):
        load(tmp_path / "painter.onnx", chosen={"strength": 1.5})


def test_a_file_of_another_program_tells_its_scale_by_what_it_does(tmp_path: Path) -> None:
    network = SPAN(width=8, scale=3).eval()
    ONNX().write(OutputGraph(network), tmp_path / "foreign.onnx")  # without a word of metadata
    predictor = load(tmp_path / "foreign.onnx")
    assert (predictor.scale, predictor.channels) == (3, 3)
    wanted = Predictor(network, options=Options(backend="torch"))(SMOOTH[..., :3])
    assert levels(predictor(SMOOTH[..., :3]), wanted) <= 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--backend", "openvinu"], "did you mean 'openvino'"),
        (["--backend", "onnxruntime", "--precision", "bf16"], "computes in fp32, not in bf16"),
        (["--backend", "torch:compil"], "did you mean 'compile'"),
        (["--backend", "torch:cuda-graphs"], "is for CUDA devices, and this is cpu"),
        (["--backend", "openvino:fast"], "openvino has no options"),
    ],
)
def test_bad_backends_are_one_line(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_image(Path("in.png"), SMOOTH[..., :3])
    assert said in refused(capsys, "infer", "in.png", "--weights", "enlarge-x4", *arguments)


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry("backends").get("openvino"), "packages", ("no_such_runtime",))
    with pytest.raises(
        UserError, match=r"--backend openvino: needs no_such_runtime: pip install 'gan-toolbox\[openvino\]'"
    ):
        load("enlarge-x4", options=Options(backend="openvino"))
