"""An evaluation makes the outputs that a metric or a sheet of samples names; its results are those of all of them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from painters import MODEL, algorithm, picture
from runs import command, pictures, sr_config, style_config, write_config
from toolbox.engine.asking import names_of
from toolbox.engine.samples import SamplesHook
from toolbox.plugins.registry import registry
from two_ranks import torchrun

PLUGIN = Path(__file__).with_name("counting_plugin.py")
PAINTED = [{"type": "PSNR", "prediction": "fake_b", "reference": "real_a"}]


def painter(folder: Path, name: str, samples: Any, *hooks: str, metrics: Any = PAINTED) -> Path:
    """The config of a painter of one iteration, which is validated on six pictures, one after the other."""
    config = sr_config(folder)
    dataset = {"type": "ImageFolder", "root": str(pictures(folder / "six", 6)), "key": "real_a"}
    config["train_dataloader"]["dataset"] |= {"key": "real_a"}
    config |= {
        "model": MODEL, "val_dataloader": {"dataset": dataset}, "val_evaluator": metrics,
        "test_dataloader": {"dataset": dataset}, "test_evaluator": metrics,
        "optim_wrapper": {"generator": config["optim_wrapper"]["generator"]}, "param_scheduler": None,
        "train_cfg": {"max_iters": 1}, "default_hooks": {"samples": samples}, "work_dir": str(folder / name),
        "custom_hooks": [{"type": each} for each in ("Counting", *hooks)],
    }  # fmt: skip
    return write_config(config, folder / f"{name}.yaml")


def made(folder: Path, rank: int = 0) -> dict[str, int]:
    """How often each output was made in a run."""
    return dict(Counter((folder / f"made_{rank}.txt").read_text().split()))


def rows(folder: Path) -> Any:
    return json.loads((folder / "report.json").read_text())["rows"]


@pytest.mark.parametrize(
    ("samples", "wanted"),
    [
        (None, {"fake_b": 6}),
        ({"columns": ["lr_a", "fake_b", "real_a"]}, {"fake_b": 6}),
        ({"columns": ["do_nothing", "sr_a"], "count": 2}, {"fake_b": 6, "sr_a": 2}),
        ({"count": 2}, {"fake_b": 6, "half_b": 2, "sr_a": 2}),
    ],
)
def test_outputs_that_nobody_names_are_not_made_and_nothing_else_changes(
    samples: Any, wanted: dict[str, int], tmp_path: Path
) -> None:
    asked, everything = tmp_path / "asked", tmp_path / "everything"
    for name, hooks in (("asked", ()), ("everything", ("Curious",))):
        assert command("train", painter(tmp_path, name, samples, *hooks), "-p", PLUGIN) == 0
    assert made(asked) == wanted and made(everything) == {"fake_b": 6, "half_b": 6, "sr_a": 6}
    assert rows(asked) == rows(everything) and len(rows(asked)) == 2
    sheets = [folder / "samples" / "iter_1.png" for folder in (asked, everything)]
    assert [sheet.is_file() for sheet in sheets] == [samples is not None] * 2
    if samples is not None:
        assert sheets[0].read_bytes() == sheets[1].read_bytes()
    test = ("test", tmp_path / "asked.yaml", asked / "iter_1.pth", "-p", PLUGIN, "--work-dir", tmp_path / "test")
    assert command(*test) == 0
    assert made(tmp_path / "test") == wanted, "a test asks as a validation does"
    tested = rows(tmp_path / "test")
    assert tested["test"] == rows(asked)["train (1 iterations)"] and tested["do nothing"] == rows(asked)["do nothing"]


def test_a_metric_of_another_output_is_compared_with_that_outputs_baseline(tmp_path: Path) -> None:
    metrics = [{**PAINTED[0], "prediction": "sr_a"}]
    for name, hooks in (("asked", ()), ("everything", ("Curious",))):
        assert command("train", painter(tmp_path, name, None, *hooks, metrics=metrics), "-p", PLUGIN) == 0
    assert made(tmp_path / "asked") == {"sr_a": 6} and rows(tmp_path / "asked") == rows(tmp_path / "everything")
    network = algorithm()
    network.asked = frozenset({"sr_a"})
    (sample,) = network.val_step({"lr_a": picture()})
    assert {"sr_a", "do_nothing/sr_a"} <= sample.keys() and not {"fake_b", "half_b", "do_nothing"} & sample.keys()
    network.asked = frozenset({"do_nothing"})
    assert "do_nothing" in network.val_step({"lr_a": picture()})[0], "it has the size of the first output"


def test_of_two_domains_each_is_translated_once_and_only_where_it_is_looked_at(tmp_path: Path) -> None:
    roots = {"real_a": str(pictures(tmp_path / "ta", 3, seed=5)), "real_b": str(pictures(tmp_path / "tb", 4, seed=6))}
    found = {}
    for name, hooks in (("asked", []), ("everything", ["Curious"])):
        config = style_config(tmp_path) | {"train_cfg": {"max_iters": 1}, "work_dir": str(tmp_path / name)}
        config["val_dataloader"] = {"dataset": {"type": "EveryImage", "roots": roots}}
        config["default_hooks"]["samples"] = {"count": 1}
        config["custom_hooks"] = [{"type": each} for each in ("Counting", *hooks)]
        assert command("train", write_config(config, tmp_path / "run.yaml"), "-p", PLUGIN) == 0
        found[name] = made(tmp_path / name), rows(tmp_path / name)
        assert (tmp_path / name / "samples" / "iter_1.png").is_file()
    assert found["asked"][1] == found["everything"][1]
    assert found["everything"][0] == {"fake_b": 3, "fake_a": 4} and found["asked"][0] == {"fake_b": 3}


def test_two_ranks_make_what_is_asked_for_and_measure_the_same(tmp_path: Path) -> None:
    for name, hooks in (("asked", ()), ("everything", ("Curious",))):
        torchrun(painter(tmp_path, name, {"count": 1}, *hooks), "-p", PLUGIN)
    assert rows(tmp_path / "asked") == rows(tmp_path / "everything")
    assert made(tmp_path / "asked") == {"fake_b": 3, "half_b": 1, "sr_a": 1}, "rank 0 draws the sheet"
    assert made(tmp_path / "asked", rank=1) == {"fake_b": 3}


def test_whoever_does_not_say_what_it_looks_at_may_look_at_everything() -> None:
    psnr = registry("metrics").get("PSNR")(prediction="sr", reference="hr")
    colours = registry("metrics").get("ColorHistogramDistance")(prediction="fake", reference="art")
    assert names_of([psnr, colours]) == {"sr", "hr", "fake", "art"}
    assert names_of([psnr, SamplesHook()]) is None and names_of([psnr, object()]) is None
    assert names_of([psnr, SamplesHook(columns=["lr"])]) == {"sr", "hr", "lr"}


def test_an_evaluation_that_is_over_leaves_every_output_to_others() -> None:
    assert algorithm().asked is None
    (sample,) = algorithm().val_step({"lr_a": picture()})
    assert {"fake_b", "half_b", "sr_a"} <= sample.keys() and torch.isfinite(sample["half_b"]).all()
