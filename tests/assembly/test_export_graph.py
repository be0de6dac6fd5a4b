"""Networks in other runtimes' formats: every generator, every output, and what happens where a file would be wrong."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import exported
from matrix import VARIANTS, algorithm_class, algorithms
from runs import command, refused
from toolbox import Exporter, Graph, Session, UserError
from toolbox.assembly.export_graph import export_graph, made_from
from toolbox.assembly.graph import OutputGraph
from toolbox.assembly.loading import TrainedOutput, trained_network
from toolbox.assembly.verify import Until, first_broken_layer, verify
from toolbox.config import load_config
from toolbox.contracts.constant import constant
from toolbox.contracts.graph import smooth
from toolbox.inference import Options, load
from toolbox.io.images import read_image, write_image
from toolbox.testing.training import assemble
from toolbox_plugins.onnx.conversion import onnx_model
from toolbox_plugins.onnx.exporter import ONNX
from toolbox_plugins.srgan.srresnet import SRResNet

pytestmark = pytest.mark.usefixtures("converted_once")
ROOT = Path(__file__).parents[2]
OUTPUTS = [(name, output) for name in algorithms() for output in algorithm_class(name).outputs if name != "Points"]


def table() -> dict[tuple[str, str], str]:
    """The cells of docs/export.md, by generator and format."""
    lines = (ROOT / "docs/export.md").read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| network |"))
    names = [each.strip().strip("`") for each in lines[start].strip("|").split("|")][1:]
    cells = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        network, *found = [each.strip() for each in line.strip("|").split("|")]
        cells |= {(network.strip("`"), name): cell for name, cell in zip(names, found, strict=True)}
    return cells


@pytest.mark.parametrize("format_name", [name for name in exported.formats() if name in ("onnx", "openvino", "torch")])
@pytest.mark.parametrize("name", exported.generators())
def test_every_generator_is_exported_as_the_page_says(name: str, format_name: str, tmp_path: Path) -> None:
    found = exported.tried(name, format_name, tmp_path)
    works = not isinstance(found, str)
    assert (table()[name, format_name].startswith("yes")) == works, found
    if isinstance(found, str):
        assert not list(tmp_path.iterdir())
        return
    assert len({trial.shape for trial in found}) == 3 and {trial.shape[0] for trial in found} == {1, 2}
    assert max(trial.difference for trial in found) <= exported.exporter(format_name).tolerance


@pytest.mark.parametrize(("name", "output"), OUTPUTS)
def test_every_output_of_every_algorithm_is_a_graph_with_its_conditions_as_inputs(name: str, output: str) -> None:
    network = TrainedOutput(assemble(algorithm_class(name), VARIANTS["LSGAN"]).eval(), output)
    asked = network.algorithm.outputs[output]
    channels = 3 + len(asked.sources) - 1
    graph = OutputGraph(network, channels=channels)
    wanted = ["images", *(each.name for each in asked.conditions if each.kind != "seed")]
    assert [each.name for each in graph.inputs] == wanted
    program = graph.program()
    again = program.module()
    rng = torch.Generator().manual_seed(1)
    batch = 1 if 0 in graph.inputs[0].free else graph.inputs[0].example.shape[0]
    tensors = [each.drawn(batch, (72, 80), rng) for each in graph.inputs]
    with torch.no_grad():
        assert torch.allclose(again(*tensors), graph(*tensors), atol=1e-5)


def test_conditions_that_are_chosen_are_constants_of_the_file(tmp_path: Path) -> None:
    whole = trained_network("palette-x4")
    half = trained_network("palette-x4", chosen={"strength": 0.5})
    for network, names, file in ((whole, ["images", "strength"], "whole.onnx"), (half, ["images"], "half.onnx")):
        export_graph(network, "onnx", tmp_path / file)
        assert list(ONNX().open(tmp_path / file).names) == names
    images = smooth((1, 3, 40, 44), torch.Generator().manual_seed(0))
    one = ONNX().open(tmp_path / "whole.onnx")([images, torch.tensor([0.5])])
    other = ONNX().open(tmp_path / "half.onnx")([images])
    assert torch.allclose(one, other, atol=1e-5)
    assert (one - ONNX().open(tmp_path / "whole.onnx")([images, torch.tensor([0.0])])).abs().max() > 0.05


def test_sizes_that_are_no_multiple_are_padded_inside(tmp_path: Path) -> None:
    network = exported.generator("UNetRestorer")
    export_graph(network, "onnx", tmp_path / "x.onnx")
    images = smooth((1, 3, 33, 57), torch.Generator().manual_seed(0))
    made = ONNX().open(tmp_path / "x.onnx")([images])
    assert made.shape == images.shape and float(made.min()) >= 0 and float(made.max()) <= 1


def test_bytes_go_in_and_out_and_weights_may_be_half(tmp_path: Path) -> None:
    network, sizes = trained_network("enlarge-x4"), {}
    for half in (False, True):
        file = tmp_path / f"{half}.onnx"
        export_graph(network, "onnx", file, layout="nhwc_uint8", half=half)
        sizes[half] = file.stat().st_size
        made = ONNX().open(file)([torch.full((1, 20, 24, 3), 128, dtype=torch.uint8)])
        assert made.shape == (1, 80, 96, 3) and made.dtype == torch.uint8
        assert (made.int() - 128).abs().max() <= 3
    assert sizes[True] < 0.55 * sizes[False]


def test_a_file_says_what_it_is_and_not_where_it_was_made(tmp_path: Path) -> None:
    file = tmp_path / "x.onnx"
    arguments = ["--weights", "painter-x4", "--format", "onnx", "--style", "van-gogh", "--license", "Apache-2.0"]
    assert command("export", *arguments, "-o", file) == 0
    metadata = ONNX().open(file).metadata
    said = json.loads(metadata["gan_toolbox"])
    assert (metadata["scale"], metadata["multiple"], metadata["channels"]) == ("4", "1", "3")
    assert (metadata["range"], metadata["kind"], metadata["license"]) == ("0-1", "paints", "Apache-2.0")
    assert said["networks"] == ["StyleSPAN"] and said["output"] == "fake_b" and said["chosen"] == {"style": "van-gogh"}
    assert [each["name"] for each in said["conditions"]] == ["strength"]
    assert (said["conditions"][0]["low"], said["conditions"][0]["high"]) == (0, 1)
    assert {"input_channels", "output_channels", "supports_half", "size_requirements", "tiling", "purpose"} <= set(said)
    assert said["plugins"]["painter"].startswith("gan-toolbox ")
    weights = (ROOT / "models/painter-x4/painter-x4.safetensors").read_bytes()
    assert said["made_from"] == {"weights_sha256": hashlib.sha256(weights).hexdigest()}
    content = file.read_bytes()
    assert str(ROOT).encode() not in content and b"site-packages" not in content and b"stack_trace" not in content
    described = json.loads((tmp_path / "x.onnx.json").read_text())
    assert len(described["export"]["compared"]) == 3 and described["export"]["format"] == "onnx"


def test_what_a_network_was_made_from_is_its_model_and_weights_wherever_they_lie(tmp_path: Path) -> None:
    hashes = []
    for place, rate in (("here", "1e-3"), ("there", "1e-4")):
        (tmp_path / place).mkdir()
        config = tmp_path / place / "mine.yaml"
        config.write_text(
            f"model: {{type: SRGAN, generator: {{type: SRResNet}}}}\nwork_dir: {place}\n"
            f"optim_wrapper: {{generator: {{optimizer: {{type: Adam, lr: {rate}}}}}}}\n"
        )
        hashes.append(made_from(load_config(config), None))
    assert hashes[0] == hashes[1] and len(hashes[0]["model_sha256"]) == 64
    assert made_from(load_config(config, {"model.generator.blocks": 3}), None) != hashes[0]


def test_openvino_keeps_the_metadata(tmp_path: Path) -> None:
    export_graph(exported.generator("SPAN"), "openvino", tmp_path / "x.xml")
    metadata = exported.exporter("openvino")().open(tmp_path / "x.xml").metadata
    assert metadata["scale"] == "4" and json.loads(metadata["gan_toolbox"])["architecture"] == "SPAN"
    assert {each.name for each in tmp_path.iterdir()} == {"x.xml", "x.bin", "x.xml.json"}


class Chain(nn.Module):
    """Five layers, one after the other."""

    scale = 1

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(5)))

    def forward(self, images: Tensor) -> Tensor:
        return images + self.body(images)


class Wrong(Exporter):
    """A format that computes one layer of every network wrongly."""

    suffix = ".wrong"
    layer = "network.body.1"
    written: dict[str, Graph] = {}

    def write(self, graph: Graph, target: Path, *, half: bool = False) -> None:
        target.write_text("")
        self.written[target.name] = graph

    def open(self, file: Path) -> Session:
        return _WrongSession(self.written[file.name], self.layer)


class _WrongSession:
    metadata: Mapping[str, str] = {}

    def __init__(self, graph: Graph, layer: str) -> None:
        self.graph, self.layer = graph, layer
        self.names = [each.name for each in graph.inputs]

    def __call__(self, tensors: Sequence[Tensor]) -> Tensor:
        whole: Any = self.graph.whole if isinstance(self.graph, Until) else self.graph
        hook = whole.get_submodule(self.layer).register_forward_hook(lambda *seen: seen[-1] * 1.5 + 0.1, prepend=True)
        try:
            return self.graph(*tensors)
        finally:
            hook.remove()


def test_the_layer_that_breaks_is_named() -> None:
    graph = OutputGraph(Chain().eval())
    exporter = Wrong()
    for number in range(5):
        exporter.layer = f"network.body.{number}"
        assert first_broken_layer(graph, exporter, tolerance=1e-4) == exporter.layer
    file = Path("chain.wrong")
    exporter.written[file.name] = graph
    assert max(trial.difference for trial in verify(graph, exporter, file)) > 1e-4


def test_a_wrong_file_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolbox.assembly.export_graph.exporter_named", lambda name: Wrong())
    with pytest.raises(UserError, match=r"--format wrong: the file computes something else.*that differs is body\.1;"):
        export_graph(Chain().eval(), "wrong", tmp_path / "x.wrong")
    assert not list(tmp_path.iterdir())


def test_a_network_that_counts_its_batch_is_exported_for_one_image(tmp_path: Path) -> None:
    class Counting(nn.Module):
        scale = 1

        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, images: Tensor) -> Tensor:
            return self.conv(images) + images.new_zeros(len(images), 1, 1, 1)

    trials = export_graph(Counting().eval(), "onnx", tmp_path / "x.onnx")
    assert {trial.shape[0] for trial in trials} == {1} and len({trial.shape for trial in trials}) == 3


def test_what_cannot_be_told_in_a_graph_is_one_line(tmp_path: Path) -> None:
    class Branching(nn.Module):
        scale = 1

        def forward(self, images: Tensor) -> Tensor:
            return images if float(images.mean()) > 0.5 else 1 - images

    with pytest.raises(UserError) as caught:
        export_graph(Branching().eval(), "onnx", tmp_path / "x.onnx")
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_exporting_leaves_nothing_behind_that_was_made_while_tracing() -> None:
    network = SRResNet(width=4, blocks=1).eval()
    images = torch.rand(1, 3, 8, 8)
    before = network(images)
    onnx_model(OutputGraph(network))
    assert torch.equal(network(images), before)
    exported.generator("SPAN")(images)
    onnx_model(OutputGraph(exported.generator("SPAN")))
    assert type(constant((0.25, 0.75), images)) is Tensor
    assert exported.generator("SPAN")(images).isfinite().all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "onnz", "-o", "x.onnx"], "did you mean 'onnx'"),
        (["--format", "onnx", "-o", "x.xml"], "files of onnx end in .onnx"),
        (["--format", "onnx", "-o", "x.onnx", "--layout", "basicsr"], "--layout basicsr: is unknown"),
        (["--format", "onnx", "-o", "x.onnx", "--strength", "0.5"], "leave --style, --strength and --seed out"),
        (["--format", "onnx", "-o", "x.onnx", "--size", "big"], "--size big: write height and width"),
        (["-o", "x.safetensors", "--strength", "0.5"], "--strength: is for formats of other runtimes"),
    ],
)
def test_bad_requests_are_one_line(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in refused(capsys, "export", "--weights", "enlarge-x4", *arguments)
    assert not list(tmp_path.iterdir())


RUNTIMES = {
    "onnxruntime": ("onnx", "enlarge.onnx"), "openvino": ("openvino", "enlarge.xml"),
    "ncnn": ("ncnn", "enlarge.param"),
    "Interpreter": ("tensorflow", "enlarge.tflite"),
}  # fmt: skip
"""The format and the file of the lines that import each of these."""


@pytest.mark.parametrize("runtime", [name for name, (each, _) in RUNTIMES.items() if each in exported.formats()])
def test_the_pages_lines_for_python_enlarge_a_photograph(
    runtime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    format_name, file = RUNTIMES[runtime]
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/export.md").read_text(encoding="utf-8"), re.DOTALL)
    (lines,) = [each for each in blocks if re.search(rf"^(import|from) .*\b{runtime}$", each, re.MULTILINE)]
    monkeypatch.chdir(tmp_path)
    fixed = (256, 256) if format_name == "tensorflow" else None
    photograph = read_image(ROOT / "configs/demo/photos/test/coffee.jpg")[:256, :256][: None if fixed else 64]
    write_image(tmp_path / "photo.png", photograph)
    export_graph(trained_network("enlarge-x4"), format_name, tmp_path / file, size=fixed)
    exec(compile(lines.replace("photo.jpg", "photo.png"), runtime, "exec"), {})
    made, wanted = read_image(tmp_path / "large.png"), load("enlarge-x4", options=Options(backend="torch"))(photograph)
    assert made.shape == wanted.shape and abs(made.astype(int) - wanted.astype(int)).max() <= 1
