"""What content is compared with: what the dataset gives for it, as a simplified photograph, or else the photograph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from painters import MODEL
from runs import command, pictures, write_config
from toolbox.assembly.build import build_algorithm
from toolbox.testing import assemble
from toolbox_plugins.gan_variants.lsgan import LSGAN
from toolbox_plugins.neural_style.algorithm import NeuralStyle


def sample(**more: Tensor) -> dict[str, Any]:
    """Two large photographs, whose pixels are their places, and small ones."""
    large = torch.arange(40.0 * 40).reshape(1, 1, 40, 40).expand(2, 3, -1, -1) / 1600
    return {"real_a": large, "lr_a": torch.rand(2, 3, 10, 10), **more}


def content(made: Any, values: dict[str, Any]) -> float:
    """The loss of content alone."""
    return float(dict(made.generator_terms(values))["g/content"].detach())


def test_content_is_compared_with_what_the_dataset_gives_for_it() -> None:
    made: Any = build_algorithm(MODEL)
    values = sample(content_a=torch.full((2, 3, 40, 40), 3.0))
    made.translate(values)
    assert content(made, values) == pytest.approx(float((values["fake_b"] - 3).abs().mean().detach()))


def test_content_is_compared_with_the_photograph_where_nothing_is_given_for_it() -> None:
    made: Any = build_algorithm(MODEL)
    values = sample()
    made.translate(values)
    assert values["content_a"] is values["real_a"]
    assert content(made, values) == pytest.approx(float((values["fake_b"] - values["real_a"]).abs().mean().detach()))


def test_light_is_compared_with_the_photograph_whatever_content_is() -> None:
    made: Any = build_algorithm({**MODEL, "losses": {"luminance": {"type": "L1Loss"}}})
    values = sample(content_a=torch.full((2, 3, 40, 40), 3.0))
    made.translate(values)
    found = dict(made.generator_terms(values))
    expected = (values["fake_b"] - values["real_a"]).abs().mean()
    assert list(found) == ["g/luminance"] and torch.allclose(found["g/luminance"], expected)


def test_content_is_moved_together_with_its_photograph_and_the_painting() -> None:
    made: Any = build_algorithm({**MODEL, "shift": 8})
    made.generator.forward = lambda images, strength, style: sample()["real_a"] + 0.25
    places = set()
    for _ in range(8):
        values = sample(content_a=sample()["real_a"] + 0.5)
        made.translate(values)
        assert values["content_a"].shape[-2:] == values["fake_b"].shape[-2:] == (32, 32)
        assert torch.allclose(values["content_a"] - values["real_a"], torch.full((), 0.5))
        assert torch.allclose(values["content_a"] - values["fake_b"], torch.full((), 0.25))
        assert values["whole_a"].shape[-2:] == (40, 40), "what is moved for the temporal loss is whole"
        places.add(float(values["content_a"][0, 0, 0, 0]))
    assert len(places) > 1


def test_the_style_network_of_photographs_takes_it_too() -> None:
    made: Any = assemble(NeuralStyle, LSGAN)
    photographs = torch.rand(1, 3, 16, 16)
    given: dict[str, Any] = {"real_a": photographs, "real_b": photographs, "content_a": 1 - photographs}
    made.translate(given)
    assert torch.equal(given["content_a"], 1 - photographs)
    without: dict[str, Any] = {"real_a": photographs, "real_b": photographs}
    made.translate(without)
    assert without["content_a"] is photographs and NeuralStyle.roles["content"] == [("fake_b", "content_a")]


def test_a_run_makes_it_once_and_trains_on_crops_of_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLBOX_CACHE", str(tmp_path / "cache"))
    seen: list[dict[str, Tensor]] = []
    algorithm = type(build_algorithm(MODEL))
    translate = algorithm.translate

    def kept(made: Any, values: dict[str, Any]) -> None:
        seen.append({name: values[name].clone() for name in ("real_a", "content_a")})
        translate(made, values)

    monkeypatch.setattr(algorithm, "translate", kept)
    config = {
        "model": {**MODEL, "generator": {**MODEL["generator"], "strokes": 1}},
        "train_dataloader": {
            "batch_size": 2,
            "dataset": {
                "type": "ImageFolder",
                "root": str(pictures(tmp_path / "photos", 2, size=40)),
                "key": "real_a",
                "cache": True,
                "once": [{"type": "KuwaharaFilter", "source": "real_a", "target": "content_a", "radius": 2}],
                "transforms": [{"type": "RandomCrop", "size": 32}, {"type": "RandomFlip"}],
            },
        },
        "train_cfg": {"max_iters": 2},
        "default_hooks": {"samples": None},
        "optim_wrapper": {"generator": {"optimizer": {"type": "Adam", "lr": 1e-3}}},
        "work_dir": str(tmp_path / "run"),
    }
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 0
    assert len(seen) == 2 and len(list((tmp_path / "cache").rglob("*.raw"))) == 2
    for values in seen:
        assert values["content_a"].shape == (2, 3, 32, 32)
        difference = np.abs((values["content_a"] - values["real_a"]).numpy())
        assert np.median(difference) < 0.01, "patches of one colour stay where they are"
