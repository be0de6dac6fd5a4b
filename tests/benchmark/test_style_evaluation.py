"""A run from YAML whose evaluation is of unpaired sets: each domain once, its own samples, one honest report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runs import command, pictures, style_config, write_config
from toolbox.engine.report import Report

FEATURES = """
from __future__ import annotations
from toolbox import hookimpl


@hookimpl
def register_features(register) -> None:
    from toolbox.contracts.network import FeatureNetwork

    class Means(FeatureNetwork):
        layers = ("colour",)
        short_name = "means"

        def forward(self, images, layers):
            return {layer: images for layer in layers}

    register("Means", Means)
"""


def config_of(folder: Path) -> dict[str, Any]:
    """A small CycleGAN that is validated on every image of two domains, with an oracle and a colour transfer."""
    (folder / "means.py").write_text(FEATURES)
    config = style_config(folder)
    config["train_cfg"] = {"max_iters": 2, "val_interval": 2}
    a, b = str(pictures(folder / "test_a", 3, seed=5)), str(pictures(folder / "test_b", 4, size=40, seed=6))
    own = [
        {"type": "Copy", "source": "real_a", "target": "oracle"},
        {"type": "PaletteOracle", "source": "oracle"},
        {"type": "ReinhardTransfer", "source": "real_a", "target": "reinhard", "style": b},
    ]
    config["val_dataloader"] = {
        "dataset": {
            "type": "EveryImage",
            "roots": {"real_a": a, "real_b": b},
            "transforms_of": {"real_a": own},
        }
    }
    means = {"type": "Means"}
    config["val_evaluator"] = [
        {"type": "KID", "prediction": "fake_b", "reference": "real_b", "features": means},
        {"type": "KID", "prediction": "fake_a", "reference": "real_a", "features": means, "label": "a"},
        {"type": "KID", "prediction": "reinhard", "reference": "real_b", "features": means, "label": "reinhard"},
        {"type": "FID", "prediction": "fake_b", "reference": "real_b", "features": means, "crops": 16},
        {"type": "GramDistance", "prediction": "fake_b", "style": b, "features": means},
        {"type": "ColorHistogramDistance", "prediction": "fake_b", "reference": "oracle", "paired": True},
        {"type": "ArtFID", "prediction": "fake_b", "reference": "real_b", "content": "real_a", "features": means},
        {"type": "ContentDistance", "prediction": "fake_b", "reference": "real_a", "features": means},
        {"type": "PSNR", "prediction": "fake_b", "reference": "oracle"},
    ]
    return config


def test_unpaired_sets_are_evaluated_whole_and_reported_with_baselines_and_numbers(tmp_path):
    file = write_config(config_of(tmp_path), tmp_path / "run.yaml")
    assert command("train", file, "-p", tmp_path / "means.py") == 0
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    row = next(row for name, row in report["rows"].items() if name != "do nothing")
    names = ["means_kid", "means_kid_a", "means_kid_reinhard", "means_fid", "means_gram", "color_histogram"]
    assert list(row) == [*names, "means_artfid", "means_content", "psnr"] == list(report["rows"]["do nothing"])
    protocols = report["protocols"]
    assert protocols["means_kid"] == "means_kid[Means:colour,native,uint8,n=3/4,poly3,unbiased,whole,x1]"
    assert "n=4/3" in protocols["means_kid_a"] and "n=3/4,vectors=27/16" in protocols["means_fid"]
    assert "n=3/4" in protocols["means_gram"] and "paired,n=3/3" in protocols["color_histogram"]
    baselines = report["rows"]["do nothing"]
    assert baselines["means_kid"] == baselines["means_kid_reinhard"] != row["means_kid"]
    assert row["means_kid_reinhard"] < baselines["means_kid"] and baselines["means_content"] == 0
    assert list((tmp_path / "run" / "samples").iterdir())


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            ("val_evaluator", 0, "reference"),
            "real_c",
            "val_evaluator.0.reference: no image of the evaluation",
        ),
        (("val_evaluator", 0, "layer"), "color", "layer: Means has no layer 'color'; did you mean 'colour'"),
        (("val_evaluator", 1, "label"), None, "val_evaluator.1: there is another 'means_kid'"),
        (("val_dataloader", "batch_size"), 2, "a batch holds samples of "),
        (("val_dataloader", "dataset", "transforms_of", "real_a", 1, "sauce"), 1, "transforms_of.real_a.1.sauce"),
        (("val_dataloader", "dataset", "transforms_of", "real_a", 1, "type"), "PalateOracle", "PaletteOracle"),
    ],
)
def test_mistakes_are_one_line_with_their_place(key, value, message, tmp_path, capsys):
    config = config_of(tmp_path)
    place: Any = config
    for name in key[:-1]:
        place = place[name]
    place[key[-1]] = value
    assert command("train", write_config(config, tmp_path / "run.yaml"), "-p", tmp_path / "means.py") == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_small_figures_are_reported_with_more_digits(tmp_path):
    report = Report("style")
    report.add("test", {"kid": 0.0123, "kid/do_nothing": 0.05, "psnr": 30.1234, "psnr/do_nothing": 28.0})
    report.write(tmp_path)
    assert "| test | 0.01230 (-0.0377) | 30.123 (+2.12) |" in (tmp_path / "report.md").read_text()
