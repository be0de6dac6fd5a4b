"""Mixtures change input and target at one place, each sample by its own draw, and a resumed run goes on with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from runs import command, refused, sr_config, style_config, weights, write_config
from toolbox.contracts.mixture import beta
from toolbox.plugins.registry import registry

NAMES = ("MixUp", "CutMix", "ResizeMix", "CutBlur")


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pairs(count: int = 4) -> dict[str, Tensor]:
    """Targets (B, 3, 32, 48) of one gray each, 0, 0.1, 0.2, …, and their inputs of half the size."""
    target = torch.arange(count).div(10).reshape(-1, 1, 1, 1).expand(count, 3, 32, 48).contiguous()
    return {"lr": avg_pool2d(target, 2), "hr": target}


def made(name: str, **arguments: Any) -> Any:
    return registry("mixtures").get(name)(**{"probability": 1.0, **arguments})


def test_mixup_is_a_share_of_two_samples_in_input_and_target_alike() -> None:
    given = pairs()
    mixed = made("MixUp").mix(given, rng(4))
    grays = {name: value[:, 0, 0, 0] for name, value in mixed.items()}
    assert torch.allclose(grays["lr"], grays["hr"]), "another share for the input"
    for value in mixed["hr"]:
        assert value.max() == value.min() and 0 <= value.max() <= 0.3
    assert not torch.allclose(grays["hr"], given["hr"][:, 0, 0, 0])


@pytest.mark.parametrize("name", ["CutMix", "ResizeMix"])
def test_a_pasted_part_is_another_sample_at_one_place_of_both(name: str) -> None:
    given = pairs(2)
    mixed = made(name).mix(given, rng(next(seed for seed in range(9) if swaps(seed))))
    changed = {key: (mixed[key][0, 0] - given[key][0, 0]).abs() > 0.01 for key in given}
    rows, columns = changed["lr"].any(1).nonzero(), changed["lr"].any(0).nonzero()
    assert changed["lr"].sum() == len(rows) * len(columns), "no rectangle"
    assert torch.equal(changed["lr"].repeat_interleave(2, 0).repeat_interleave(2, 1), changed["hr"])
    assert torch.allclose(mixed["lr"][0, 0][changed["lr"]], torch.tensor(0.1)), "not of the other sample"


def test_resizemix_shows_the_whole_other_picture() -> None:
    given = pairs(2)
    given["hr"][1, :, :, 24:] = 0.9  # half of it is bright
    given["lr"] = avg_pool2d(given["hr"], 2)
    given["hr"][0], given["lr"][0] = 0.5, 0.5
    mixed = made("ResizeMix", sides=(0.5, 0.5)).mix(given, next(rng(s) for s in range(9) if swaps(s)))
    assert mixed["hr"][0].min() < 0.15 and mixed["hr"][0].max() > 0.85


def swaps(seed: int) -> bool:
    """Whether the first of two samples gets the other one as its partner."""
    generator = rng(seed)
    torch.rand(2, generator=generator)
    return torch.randperm(2, generator=generator).tolist() == [1, 0]


def test_cutblur_leaves_the_target_and_mends_a_part_of_the_input() -> None:
    target = torch.rand(3, 3, 32, 32, generator=rng(1))
    given = {"lr": torch.zeros(3, 3, 16, 16), "hr": target}
    good = made("CutBlur", sides=(1.0, 1.0)).mix(given, rng(0))["lr"]
    half = made("CutBlur", sides=(0.5, 0.5)).mix(given, rng(0))
    assert torch.equal(half["hr"], target)
    shares = [float((each != 0).any(0).float().mean()) for each in half["lr"]]
    assert set(shares) <= {0.25, 0.75} and len(set(shares)) == 2, "inside of a box, or all but a box"
    assert bool(((half["lr"] == 0) | (half["lr"] == best(target))).all())
    assert good.shape == given["lr"].shape


def best(target: Tensor) -> Tensor:
    from toolbox_plugins.mixtures.pasting import shrunk

    return shrunk(target, 16, 16)


def test_at_scale_1_cutblur_pastes_the_target_itself() -> None:
    given = {"damaged": torch.zeros(2, 3, 16, 16), "clean": torch.ones(2, 3, 16, 16)}
    mixed = made("CutBlur", sides=(0.5, 0.5)).mix(given, rng())
    assert torch.equal(mixed["clean"], given["clean"]) and 0 < mixed["damaged"].mean() < 1


@pytest.mark.parametrize("name", NAMES)
def test_probability_is_of_each_sample_and_clips_are_changed_alike(name: str) -> None:
    given = pairs(64)
    given["lr"] = given["lr"] * 0.5
    hit = (made(name, probability=0.25).mix(given, rng(5))["lr"] != given["lr"]).flatten(1).any(1).float().mean()
    assert 0.05 < hit < 0.45
    assert torch.equal(made(name, probability=0.0).mix(given, rng())["hr"], given["hr"])
    clips = {key: value[:, None].expand(-1, 3, -1, -1, -1).contiguous() for key, value in pairs().items()}
    mixed = made(name).mix(clips, rng(2))["lr"]
    assert torch.equal(mixed[:, 0], mixed[:, 2])


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_read_from_the_device(name: str) -> None:
    given = {key: value.to("meta") for key, value in pairs().items()}  # which holds no numbers to read
    mixed = made(name).mix(given, rng())
    assert all(value.shape == given[key].shape and value.is_meta for key, value in mixed.items())


def test_the_beta_distribution_has_its_moments() -> None:
    for shape in (0.5, 1.0, 1.2, 50.0):
        drawn = torch.tensor([beta(shape, generator) for generator in [rng(7)] for _ in range(4000)])
        assert abs(drawn.mean() - 0.5) < 0.02 and abs(drawn.var() - 1 / (4 * (2 * shape + 1))) < 0.01


@pytest.mark.parametrize(
    ("mixture", "told"),
    [
        ({"type": "MixUp", "probability": 2.0}, "probability must be from 0 to 1, got 2.0"),
        ({"type": "ResizeMix", "sides": [0.5, 0.2]}, "sides must be two shares"),
        ({"type": "CutMix", "alpha": 0.0}, "alpha must be above 0"),
        ({"type": "CutMax"}, "no mixture is called 'CutMax'; did you mean 'CutMix'?"),
    ],
)
def test_a_mistake_is_one_line(
    mixture: dict[str, Any], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(sr_config(tmp_path, mixtures=[mixture]), tmp_path / "run.yaml")
    line = refused(capsys, "train", config)
    assert "model.mixtures.0" in line and told in line


def test_an_algorithm_without_pairs_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_config(style_config(tmp_path, mixtures=[{"type": "MixUp"}]), tmp_path / "run.yaml")
    assert "model.mixtures: mixes an image and what is made of it, and CycleGAN makes none" in refused(
        capsys, "train", config
    )


def mixed_run(folder: Path, workers: int = 0) -> dict[str, Any]:
    """Real pairs among synthetic ones, and every mixture."""
    config = sr_config(folder, mixtures=[{"type": name} for name in NAMES], channels_last=True)
    synthetic = config["train_dataloader"]["dataset"]
    crop = synthetic["transforms"]
    from runs import pictures

    pictures(folder / "real/hr", 3, size=64, seed=8), pictures(folder / "real/lr", 3, size=32, seed=8)
    roots = {"lr": str(folder / "real/lr"), "hr": str(folder / "real/hr")}
    real = {"type": "PairedFolders", "roots": roots, "transforms": crop}
    config["train_dataloader"] |= {
        "num_workers": workers,
        "dataset": {"type": "MixedPairs", "real": real, "synthetic": synthetic, "real_share": 0.5},
    }
    return config


@pytest.mark.parametrize("workers", [2])
def test_a_mixed_run_resumes_bit_exactly(workers: int, tmp_path: Path) -> None:
    config = mixed_run(tmp_path, workers)
    whole = write_config({**config, "work_dir": str(tmp_path / "whole")}, tmp_path / "whole.yaml")
    assert command("train", whole) == 0
    file = write_config(config, tmp_path / "run.yaml")
    assert command("train", file, "--stop-at", "3") == 0
    torch.manual_seed(456)
    assert command("train", file, "--resume") == 0
    expected, found = weights(tmp_path / "whole/iter_6.pth"), weights(tmp_path / "run/iter_6.pth")
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_real_pairs_have_their_share_of_every_epoch(tmp_path: Path) -> None:
    import numpy as np

    from toolbox.assembly.build import build_component
    from toolbox.engine.data import EndlessSamples

    config = mixed_run(tmp_path)["train_dataloader"]["dataset"]
    for share, count in ((0.5, 4), (0.2, 1), (0.75, 12)):
        dataset = build_component("datasets", {**config, "real_share": share})
        assert len(dataset) == 4 + count
        stream = EndlessSamples(dataset, seed=1)
        epochs = [[stream.read(place + start)["name"] for place in range(len(dataset))] for start in (0, len(dataset))]
        for names in epochs:
            assert sum(name.startswith("real/") for name in names) == count
            assert len({name for name in names if name.startswith("synthetic/")}) == 4
    pair = dataset.sample(0, np.random.default_rng(0))
    assert pair["lr"].dtype == np.float32 and pair["lr"].max() <= 1 and pair["hr"].dtype == np.uint8
    assert "lr" not in dataset.sample(len(dataset) - 1, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"real_share": 1.0}, "real_share must be above 0 and below 1"),
        ({"inputs": ["low"]}, "a real pair has no picture 'low'"),
    ],
)
def test_shares_and_inputs_that_mean_nothing_are_refused(
    change: dict[str, Any], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = mixed_run(tmp_path)
    config["train_dataloader"]["dataset"] |= change
    assert told in refused(capsys, "train", write_config(config, tmp_path / "run.yaml"))
