"""Composition: order, probabilities, choices and permutations per sample, names in YAML, replay."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from runs import command, sr_config, write_config
from toolbox.assembly.build import build_component
from toolbox.contracts.degradation import Degradation
from toolbox.io.errors import UserError
from toolbox.testing import check_degradation
from toolbox_plugins.degradations.blur import Blur
from toolbox_plugins.degradations.noise import GaussianNoise
from toolbox_plugins.degradations.resize import FinalResize, RandomResize
from toolbox_plugins.degradations.stage import Draws, Stage, choice
from toolbox_plugins.degradations.stages import OneOf, Shuffle, Stages


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Digit(Stage):
    """Appends a digit: 0.3 becomes 0.35. So the order of stages can be read from the result."""

    def __init__(self, digit: int, probability: float = 1.0) -> None:
        super().__init__(probability=probability)
        self.digit = digit

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        return {}

    def damage(self, images: Tensor, draws: Draws) -> Tensor:
        return images * 0.1 + self.digit * 0.1


class Plain(Degradation):
    """A degradation that is no stage."""

    def forward(self, images: Tensor, rng: torch.Generator) -> Tensor:
        return images * torch.rand(len(images), 1, 1, 1, generator=rng)


BLANK = torch.zeros(64, 1, 2, 2, dtype=torch.float64)


def read(images: Tensor) -> list[str]:
    """The digits, last one first."""
    return [f"{value:.3f}"[2:] for value in images[:, 0, 0, 0].tolist()]


def test_stages_come_in_the_order_written() -> None:
    assert set(read(Stages(stages={"a": Digit(1), "b": Digit(2), "c": Digit(3)})(BLANK, rng()))) == {"321"}


def test_a_probability_is_drawn_per_sample() -> None:
    found = read(Stages(stages={"a": Digit(1), "b": Digit(2, probability=0.5)})(BLANK, rng()))
    assert set(found) == {"100", "210"} and 16 < found.count("210") < 48


def test_one_of_them_is_chosen_per_sample_by_weight() -> None:
    stage = OneOf(stages={"a": Digit(1), "b": Digit(2), "c": Digit(3)}, weights={"a": 3.0, "c": 0.0})
    found = read(stage(BLANK, rng()))
    assert set(found) == {"100", "200"} and 36 < found.count("100") < 60


def test_a_shuffle_gives_every_sample_an_order_and_keeps_the_named_ones_sorted() -> None:
    stages: dict[str, Degradation] = {"a": Digit(1), "b": Digit(2), "c": Digit(3)}
    assert len(set(read(Shuffle(stages=stages)(BLANK, rng())))) == 6
    kept = set(read(Shuffle(stages=stages, in_order=("a", "c"))(BLANK, rng())))
    assert kept == {"321", "312", "231"}  # read from the last: 1 before 3


def test_switching_one_stage_off_leaves_the_others_as_they_were() -> None:
    def chain(probability: float) -> Stages:
        noise = GaussianNoise(probability=probability)
        return Stages(stages={"noise": noise, "blur": Blur()})

    with_noise, without = chain(1).plan(4, rng()), chain(0).plan(4, rng())
    assert torch.equal(with_noise["how"]["blur"]["how"]["kernel"], without["how"]["blur"]["how"]["kernel"])


def test_a_samples_damage_does_not_depend_on_the_other_samples_content() -> None:
    chain = Stages(stages={"resize": RandomResize(), "noise": GaussianNoise(), "end": FinalResize()}, scale=2)
    images = torch.rand(3, 3, 32, 32)
    others = images.clone()
    others[1:] = torch.rand(2, 3, 32, 32)
    assert torch.equal(chain(images, rng())[0], chain(others, rng())[0])


def test_any_degradation_may_be_a_stage() -> None:
    check_degradation(Stages(stages={"plain": Plain(), "blur": Blur()}))


def test_containers_keep_the_contract() -> None:
    for container in (Stages, OneOf, Shuffle):
        check_degradation(container(stages={"blur": Blur(), "noise": GaussianNoise()}))


def test_stages_are_built_from_yaml_by_name() -> None:
    blur = {"type": "Blur", "probability": 0.5}
    config = {"type": "Stages", "scale": 2, "stages": {"type": blur, "inner": {"type": "OneOf", "stages": {"x": blur}}}}
    made = build_component("degradations", config)
    assert list(made.stages) == ["stage_type", "stage_inner"] and made.stages["stage_type"].probability == 0.5


def test_a_stage_is_changed_from_the_command_line_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    stages = {"blur": {"type": "Blur"}, "noise": {"type": "GaussianNoise"}}
    config = sr_config(tmp_path, degradation={"type": "Stages", "scale": 2, "stages": stages})
    file = write_config(config, tmp_path / "run.yaml")
    assert command("train", file, "--dry-run", "--cfg-options", "model.degradation.stages.noise.probability=0.0") == 0
    capsys.readouterr()
    assert command("train", file, "--dry-run", "--cfg-options", "model.degradation.stages.noise.sigm=3") == 2
    assert "stages.noise.sigm: GaussianNoise has no such argument; did you mean 'sigma'?" in capsys.readouterr().err


def test_choices_follow_their_weights() -> None:
    found = torch.bincount(choice(10_000, [0.2, 0.0, 0.8], rng()), minlength=3) / 10_000
    assert found.tolist() == pytest.approx([0.2, 0, 0.8], abs=0.02)


def test_sizes_that_the_scale_does_not_divide_and_unknown_names_are_refused() -> None:
    with pytest.raises(
        ValueError, match="height 33 and width 32 must be multiples of 4 to shrink by 4; crop to 32x32 first"
    ):
        Stages(stages={"end": FinalResize()}, scale=4)(torch.rand(1, 3, 33, 32), rng())
    with pytest.raises(UserError, match="weights: 'blr' is no stage; did you mean 'blur'"):
        OneOf(stages={"blur": Blur()}, weights={"blr": 1.0})
    with pytest.raises(UserError, match="in_order: 'x' is no stage"):
        Shuffle(stages={"blur": Blur()}, in_order=("x",))
    with pytest.raises(UserError, match="at least one"):
        Stages(stages={})
