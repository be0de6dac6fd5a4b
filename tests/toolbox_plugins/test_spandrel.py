"""Files that only spandrel knows: loaded, fine-tuned, exported; and what it does where spandrel is missing."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import exported
from runs import command, sr_config, weights, write_config
from toolbox.contracts.graph import missing, smooth
from toolbox.io.errors import UserError
from toolbox.plugins.registry import registry
from toolbox.testing import check_generator
from toolbox.weights.importing import formats, load_network, recognise
from toolbox.weights.published_layout import laid_out
from toolbox_plugins.rcan.generator import RCAN
from toolbox_plugins.spandrel.generator import SpandrelNetwork
from toolbox_plugins.spandrel.library import PACKAGES, architectures, detected, loaded

ROOT = Path(__file__).parents[2]
SETTINGS: dict[str, Any] = {
    "img_size": 64, "window_size": 8, "depths": [2], "num_heads": [2], "embed_dim": 16, "upscale": 2,
    "upsampler": "pixelshuffledirect",
}  # fmt: skip
needed = pytest.mark.skipif(bool(missing(PACKAGES, "")), reason="pip install --no-deps spandrel einops")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """SwinIR, which no format of the toolbox knows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = architectures()["SwinIR"].classes["SwinIR"](**SETTINGS)
    torch.save({"params_ema": network.state_dict()}, tmp_path / "swin.pth")
    return tmp_path / "swin.pth"


def described(file: Path, images: Tensor) -> Tensor:
    """What spandrel itself makes of the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        descriptor = architectures()["SwinIR"].loader.load(torch.load(file)["params_ema"])
    return descriptor(images)


@needed
def test_a_file_is_the_network_that_spandrel_loads(file: Path) -> None:
    images = torch.rand(1, 3, 16, 24)
    network = load_network(file)
    assert isinstance(network, SpandrelNetwork) and network.scale == 2
    with torch.no_grad():
        torch.testing.assert_close(network(images).clamp(0, 1), described(file, images), atol=1e-5, rtol=1e-5)
        again = SpandrelNetwork(file=str(file)).eval()
        assert torch.equal(again(images), network(images))


@needed
def test_a_run_begins_with_a_file_and_stands_without_it(file: Path, tmp_path: Path) -> None:
    config = sr_config(tmp_path, generator={"type": "SpandrelNetwork", "file": str(file)})
    config["train_cfg"] = {"max_iters": 1, "val_interval": 1}
    config["optim_wrapper"]["generator"] = {"optimizer": {"type": "SGD", "lr": 0.0}}
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 0
    before = torch.load(file)["params_ema"]["conv_first.weight"]
    file.unlink()
    kept = (tmp_path / "run" / "config.yaml").read_text()
    assert "architecture: SwinIR" in kept and "embed_dim: 16" in kept
    target = tmp_path / "own.safetensors"
    assert command("export", tmp_path / "run" / "config.yaml", tmp_path / "run" / "iter_1.pth", "-o", target) == 0
    network = load_network(target)  # by its keys; the description says it too
    assert torch.equal(network.state_dict()["network.conv_first.weight"], before)
    assert json.loads((tmp_path / "own.safetensors.json").read_text())["model"]["generator"]["settings"]["upscale"] == 2


@needed
@pytest.mark.parametrize("architecture", ["Compact", "RCAN"])
def test_a_run_of_spandrels_network_takes_a_file_that_an_own_format_knows_too(
    architecture: str, tmp_path: Path
) -> None:
    few = {"num_feat": 8, "num_conv": 1} if architecture == "Compact" else {"n_resgroups": 1, "n_resblocks": 1}
    (kind,) = architectures()[architecture].classes.values()
    state = kind(**few, **({"upscale": 2} if architecture == "Compact" else {"scale": 2})).state_dict()
    torch.save(state, tmp_path / "published.pth")
    config = sr_config(tmp_path, generator={"type": "SpandrelNetwork", "file": str(tmp_path / "published.pth")})
    config["train_cfg"] = {"max_iters": 1, "val_interval": 1}
    config["optim_wrapper"]["generator"] = {"optimizer": {"type": "SGD", "lr": 0.0}}
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 0
    found = weights(tmp_path / "run" / "iter_1.pth")
    assert all(torch.equal(found[f"generator.network.{name}"], value) for name, value in state.items())


@needed
def test_own_formats_go_first(tmp_path: Path) -> None:
    compact = architectures()["Compact"].classes["SRVGGNetCompact"](num_feat=8, num_conv=1)
    assert recognise(compact.state_dict(), "compact.pth").config["type"] == "SRVGGNetCompact"


@needed
def test_a_file_that_counts_too_far_or_lacks_a_part_is_refused(file: Path) -> None:
    state = torch.load(file)["params_ema"]
    trap = {**state, "layers.9000000.residual_group.blocks.0.norm1.weight": torch.zeros(1)}
    with pytest.raises(UserError, match="count up to 9,000,000"):
        recognise(trap, "trap.pth")
    del state["norm.bias"]
    with pytest.raises(UserError, match="looks like spandrel's SwinIR and is not"):
        recognise(state, "damaged.pth")


@needed
def test_shapes_that_ask_for_a_table_without_end_are_refused() -> None:
    settings = {"img_size": 16, "window_size": 4, "depths": (1,), "num_heads": (1,), "embed_dim": 16, "upscale": 2}
    state = architectures()["DRCT"].classes["DRCT"](**settings, upsampler="pixelshuffle").state_dict()
    assert recognise(state, "drct.pth").config["architecture"] == "DRCT"
    wide = {name: torch.zeros(399**2, 1) for name in state if name.endswith("relative_position_bias_table")}
    with pytest.raises(UserError, match="would compute a table of more than"):
        recognise({**state, **wide}, "trap.pth")


@needed
def test_a_file_whose_weights_share_one_storage_is_refused(tmp_path: Path) -> None:
    weight = torch.zeros(1 << 18)
    torch.save({f"body.{number}.weight": weight for number in range(40)}, tmp_path / "trap.pth")
    with pytest.raises(UserError, match="claim far more than the file holds"):
        SpandrelNetwork(file=str(tmp_path / "trap.pth"))


@needed
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "wants file, or architecture"),
        ({"file": "a.pth", "architecture": "DAT"}, "wants file, or architecture"),
        ({"architecture": "SwinR"}, "did you mean 'SwinIR'"),
        ({"architecture": "PLKSR"}, r"PLKSR.PLKSR or PLKSR.RealPLKSR"),
        ({"architecture": "Compact", "settings": {"widht": 3}}, "cannot be built of these: TypeError"),
        ({"file": "nowhere.pth"}, "nowhere.pth"),
    ],
)
def test_what_it_cannot_be_is_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        SpandrelNetwork(**arguments)


@needed
@pytest.mark.parametrize(
    "arguments",
    [
        SpandrelNetwork.example_arguments(),
        {"architecture": "RCAN", "settings": {"n_resgroups": 1, "n_resblocks": 1, "n_feats": 16, "scale": 2}},
    ],
)
def test_it_keeps_to_the_contract(arguments: dict[str, Any]) -> None:
    check_generator(SpandrelNetwork(**arguments), size=8)


@needed
@pytest.mark.parametrize("settings", [{"scale": 4}, {"scale": 2, "norm": False}, {"scale": 1, "unshuffle_mod": True}])
def test_rcan_is_what_the_own_reader_makes_of_it(settings: dict[str, Any]) -> None:
    small = {"n_resgroups": 2, "n_resblocks": 1, "n_feats": 16, **settings}
    theirs = SpandrelNetwork(architecture="RCAN", settings=small).eval()
    found = recognise(theirs.network.state_dict(), "rcan.pth")
    own = RCAN(**{name: value for name, value in found.config.items() if name != "type"}).eval()
    own.load_state_dict(found.state)
    images = torch.rand(1, 3, 16, 24)
    with torch.no_grad():
        torch.testing.assert_close(theirs(images), own(images), atol=1e-5, rtol=1e-5)


SIZES: dict[str, dict[str, Any]] = {
    "DAT": {"width": 32, "depths": [3], "heads": [2], "window": [2, 4]},
    "RCAN": {"width": 16, "groups": 2, "blocks": 2, "reduction": 4},
    "RRDBNet": {"width": 16, "blocks": 2},
    "RealPLKSR": {"width": 16, "blocks": 2},
    "SPAN": {},
    "SRVGGNetCompact": {"width": 16, "convs": 3},
}


def rows() -> list[tuple[str, str, str, str]]:
    """Those of the page's table: network, layout, spandrel's name, the largest difference."""
    lines = (ROOT / "docs/export.md").read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| network | `--layout` |"))
    every = takewhile(lambda line: line.startswith("|"), lines[start + 2 :])
    cells = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in every]
    return [(name, layout, known, most) for name, layouts, known, most in cells for layout in layouts.split("`, `")]


@needed
@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize(("name", "layout", "known", "most"), rows())
def test_spandrel_reads_what_is_exported_as_the_page_says(
    name: str, layout: str, known: str, most: str, scale: int
) -> None:
    torch.manual_seed(0)
    network = registry("generators").get(name)(**SIZES[name], scale=scale).eval()
    state = laid_out(network, layout, ".safetensors")
    found = detected(state)
    assert found is not None and found.name == known
    images = smooth((1, 3, 24, 32), torch.Generator().manual_seed(0))
    with torch.no_grad():
        theirs = loaded(found, state)(images.clone())  # its RCAN changes what it is given
        assert float((theirs - network(images).clamp(0, 1)).abs().max()) <= max(float(most), 1e-6)


@needed
def test_spandrel_knows_no_network_that_the_page_leaves_out() -> None:
    left_out = set(exported.generators()) - {name for name, *_ in rows()}
    for name in left_out:
        layouts = [None, *{each.layout for each in formats().values() if each.network == name}]
        states = [laid_out(exported.generator(name), layout, ".safetensors") for layout in layouts]
        assert not any(map(detected, states)), name
    assert "StyleSPAN" in left_out


@needed
def test_spandrel_is_whole_for_whoever_imports_it_afterwards() -> None:
    code = (
        "import sys, toolbox_plugins.spandrel.library as own; own.architectures();"
        "assert 'spandrel' not in sys.modules;"
        "import spandrel.util; assert spandrel.__version__"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 or "torchvision" in done.stderr, done.stderr


def test_without_spandrel_both_the_network_and_an_unknown_file_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("toolbox.contracts.graph.find_spec", lambda name: None)
    architectures.cache_clear()
    with pytest.raises(UserError, match=r"needs spandrel: pip install 'gan-toolbox\[spandrel\]'"):
        SpandrelNetwork(architecture="DAT")
    with pytest.raises(UserError, match=r"Spandrel may know it and needs spandrel: pip install"):
        recognise({"strange.weight": torch.zeros(1)}, "strange.pth")
