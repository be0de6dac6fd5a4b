"""Weight files of others that are refused: unknown, ambiguous, damaged, or trying to run code."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from attacks.damage import scrambled
from fuzzing import bytewise, fuzz, refused_quickly
from runs import refused
from toolbox.assembly.loading import trained_network
from toolbox.io.errors import UserError
from toolbox.plugins.manager import PluginManager, use
from toolbox.weights.importing import import_state, load_network, recognise
from weight_files import STATE, rrdbnet, saved

TWO_FORMATS = '''
from toolbox import hookimpl
from toolbox.contracts.checkpoint_format import CheckpointFormat

class Greedy(CheckpointFormat):
    """Takes every network with a first convolution."""
    network = "RRDBNet"
    layout = "greedy"
    needs = ("conv_first.weight",)

    def arguments(self, state):
        return {}

    def convert(self, state):
        return dict(state)

    restore = convert

@hookimpl
def register_formats(register):
    register("Greedy", Greedy)
'''


def test_a_file_of_no_known_format_lists_its_keys_and_the_formats(tmp_path: Path) -> None:
    file = saved({"params": {"patch_embed.weight": torch.ones(2)}}, tmp_path / "swin.pth")
    with pytest.raises(UserError, match=r"has these 1 keys \(patch_embed\.weight, .*RRDBNetBasicSR.*register_formats"):
        load_network(file)


def test_a_file_of_a_network_that_is_almost_known_names_the_nearest_format(tmp_path: Path) -> None:
    state = {key: value for key, value in STATE.items() if "conv_hr" not in key}
    with pytest.raises(UserError, match=r"nearest is RRDBNetBasicSR, which has conv_hr\.weight too; known"):
        load_network(saved(state, tmp_path / "x2.pth"))


def test_a_file_without_a_state_dict_says_what_it_holds(tmp_path: Path) -> None:
    arrays = {key: value.numpy() for key, value in STATE.items()}
    for name, content in (("bare", arrays), ("wrapped", {"params": arrays})):
        with pytest.raises(UserError, match=rf"{name}\.pth: its values are NumPy arrays .* save \{{key"):
            load_network(saved(content, tmp_path / f"{name}.pth"))
    with pytest.raises(UserError, match="holds no state dict but epoch, meta"):
        load_network(saved({"epoch": 1, "meta": {"config": "text"}}, tmp_path / "meta.pth"))
    with pytest.raises(UserError, match="holds no state dict but epoch, loss"):
        load_network(saved({"epoch": 1, "loss": 0.5}, tmp_path / "a.pth"))
    with pytest.raises(UserError, match="there is no such"):
        load_network(tmp_path / "none.pth")


def test_a_network_that_lacks_weights_or_has_more_is_refused_with_their_names(tmp_path: Path) -> None:
    less = {key: value for key, value in STATE.items() if key != "body.1.rdb2.conv3.bias"}
    with pytest.raises(UserError, match=r"looks like RRDBNetBasicSR and is not: missing body\.1\.rdb2\.conv3\.bias"):
        load_network(saved(less, tmp_path / "less.pth"))
    more = {**STATE, "conv_extra.weight": torch.ones(1)}
    with pytest.raises(UserError, match=r"unexpected conv_extra\.weight"):
        load_network(saved(more, tmp_path / "more.pth"))


class Evil:
    """Would make a file if it were unpickled."""

    def __reduce__(self) -> Any:
        return open, ("ran", "w")


def test_code_in_a_file_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"params": STATE, "evil": Evil()}, "evil.pth")
    Path("plain.pth").write_bytes(pickle.dumps(Evil()))
    assert load_network(Path("evil.pth")).scale == 4  # the tensors beside it are read
    with pytest.raises(UserError, match=r"plain\.pth"):
        load_network(Path("plain.pth"))
    assert not Path("ran").exists()


def test_a_tensor_that_claims_more_than_is_stored_is_refused(tmp_path: Path) -> None:
    huge = {**STATE, "conv_first.weight": torch.zeros(1).expand(100_000, 1000, 3, 3)}
    with pytest.raises(UserError, match=r"conv_first\.weight: claims shape \(100000, 1000, 3, 3\) and stores less"):
        load_network(saved(huge, tmp_path / "trap.pth"))
    wide = {**STATE, "conv_first.weight": torch.zeros(20_000, 3, 3, 3)}
    with pytest.raises(UserError, match=r"and is not: .* has shape"):  # compared before 14 GB are taken for it
        load_network(saved(wide, tmp_path / "wide.pth"))


def test_a_file_that_two_formats_take_is_refused_with_the_way_out(tmp_path: Path) -> None:
    plugin = tmp_path / "greedy.py"
    plugin.write_text(TWO_FORMATS)
    use(PluginManager([str(plugin)]))
    try:
        with pytest.raises(UserError, match=r"of the formats Greedy and RRDBNetBasicSR at once; .* -p no:NAME"):
            recognise(STATE, "a.pth")
    finally:
        use(None)


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("official")
    torch.save({"params": STATE}, folder / "old.pth", _use_new_zipfile_serialization=False)
    return saved({"params": STATE}, folder / "new.pth")


@settings(fuzz, max_examples=150)
@given(changes=bytewise, whole=st.sampled_from(["new.pth", "old.pth"]))
def test_damaged_files_are_refused_in_one_line_or_read(official: Path, changes, whole: str) -> None:
    file = official.with_name("official.pth")
    file.write_bytes(
        scrambled(
            official.with_name(whole).read_bytes(), changes, [b"conv_first", b"\x80\x02", b"PK\x03\x04", b"9999999"]
        )
    )
    with refused_quickly("official.pth"):
        load_network(file)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda value: value.to(torch.int8), r"conv_first\.weight holds whole numbers \(int8\)"),
        (lambda value: value.to("meta"), r"conv_first\.weight: is a tensor without numbers"),
    ],
)
def test_tensors_that_are_no_weights_are_named(change: Any, told: str, tmp_path: Path) -> None:
    file = saved({key: change(value) for key, value in STATE.items()}, tmp_path / "x4.pth")
    with pytest.raises(UserError, match=told) as caught:
        load_network(file)
    assert len(str(caught.value)) < 200


def test_a_folder_in_place_of_weights_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    for folder in (tmp_path, "/", "."):
        line = refused(capsys, "infer", tmp_path / "a.png", "-o", tmp_path / "out", "--weights", folder)
        assert f"error: {folder}: is a folder" in line
    for load in (load_network, trained_network):
        with pytest.raises(UserError, match="is a folder"):
            load(Path("/"))


def test_the_two_formats_are_told_by_what_files_hold(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    safetensors.save_file(STATE, tmp_path / "renamed.pth")
    torch.save(STATE, tmp_path / "renamed.safetensors")
    for name in ("renamed.pth", "renamed.safetensors"):
        made = load_network(tmp_path / name).state_dict()
        assert all(torch.equal(value, STATE[key]) for key, value in made.items())


@pytest.mark.parametrize("size", ["²x5", "5x²", "0x5", "12345x5", "5x5x5", "-5x5"])
def test_a_size_is_two_numbers(size: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(
        capsys, "export", "--weights", "x.pth", "-o", tmp_path / "x.onnx", "--format", "onnx", f"--size={size}"
    )
    assert f"--size {size}: write height and width" in line


def test_whole_numbers_start_no_training_and_a_torchscript_program_is_told_as_one(tmp_path: Path) -> None:
    whole = {key: value.to(torch.int8) for key, value in STATE.items()}
    with pytest.raises(UserError, match=r"holds whole numbers \(int8\) in place of weights"):
        import_state(saved(whole, tmp_path / "whole.pth"), rrdbnet())
    torch.jit.save(torch.jit.script(torch.nn.Conv2d(1, 1, 1)), str(tmp_path / "program.pth"))
    with pytest.raises(UserError, match=r"is a TorchScript program, whose code is not run; save its state_dict\(\)"):
        load_network(tmp_path / "program.pth")
