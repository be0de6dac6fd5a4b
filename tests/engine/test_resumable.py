"""A checkpoint with damaged content is resumed, or refused in one line that says what is wrong and what is left."""

from __future__ import annotations

import copy
import random
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from attacks.states import mutation, short_run
from fuzzing import assert_one_line
from runs import command, refused
from toolbox.io.errors import UserError
from toolbox.weights.checkpoint import write_checkpoint

MUTATIONS = 80


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The config of a short run, and its checkpoint after iteration 4."""
    return short_run(tmp_path_factory.mktemp("resumable"))


DEEP: dict[str, Any] = {}
for _ in range(60):
    DEEP = {"model": DEEP}
DOUBLED: Any = 1
for _ in range(30):
    DOUBLED = {"a": DOUBLED, "b": DOUBLED}


def test_eighty_damaged_checkpoints_are_resumed_or_refused_in_one_line(
    run: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    file, content = run
    path = file.with_name("damaged.pth")
    outcomes: list[int] = []
    draw = random.Random(0)
    for number in range(MUTATIONS):
        name, damaged = mutation(content, number, draw)
        write_checkpoint(damaged, path)
        capsys.readouterr()
        code = command("train", file, "--resume", path, "--cfg-options", "train_cfg.max_iters=5")
        said = capsys.readouterr().err
        assert code in (0, 2), f"{name}: {said}"
        errors = [line for line in said.splitlines() if line.startswith("error: ")]
        assert len(errors) == (code == 2), f"{name}: {said}"
        if code:
            assert_one_line(UserError(errors[0]))
            assert "damaged.pth: " in errors[0], f"{name}: {errors[0]}"
        outcomes.append(code)
    assert outcomes.count(2) > 30


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("meta.iter", "4", r"meta\.iter is '4' and no int, .*; a new run can begin with its weights \(load_from\)"),
        ("meta.iter", -1, r"meta\.iter is negative"),
        ("meta.iter", 10**15, r"meta\.iter is more than the 1e\+09 that any run has"),
        ("meta", {}, r"meta\.iter is None and no int, .*; nor can a new one begin with it"),
        ("meta.lasting", {"model": {"ema": torch.ones(2)}}, r"meta\.lasting\.model\.ema is a Tensor and no .*str"),
        ("meta.lasting", DEEP, r"meta\.lasting\.model\.model\..* is nested more than 50 levels deep"),
        ("meta.schedules", {"generator": [DEEP]}, r"meta\.schedules\.generator\.0\..* is nested more than 50"),
        ("meta.lasting", DOUBLED, r"meta\.lasting holds more than 100,000 values"),
        ("meta.iter", 10**400, r"meta\.iter is more than"),
        ("param_schedulers", {}, r"param_schedulers\.generator has 0 schedules"),
        ("param_schedulers.generator.0.step", 3, r"param_schedulers\.generator\.0 holds step, which is no setting"),
        ("optimizer.generator.param_groups.0.lr", 10**400, r"param_groups\.0\.lr is a int and no finite number"),
        ("optimizer.generator.param_groups.0.params", [torch.ones(2)], r"has 1 parameters, which are not"),
        ("report", {"train": {"psnr": "high"}}, r"report\.train\.psnr is 'high' and no int or float"),
        ("ranks", [{"own": {}, "random": {}}], r"ranks\.0\.random is no state of random numbers \('python'\)"),
        ("optimizer.generator.param_groups", [], "has 0 groups of parameters and the config 1"),
        ("optimizer.generator.state", {99: {"step": 1}}, r"state\.99 belongs to no parameter"),
        ("message_hub.log_scalars", None, r"message_hub\.log_scalars is None and no Mapping"),
        ("state_dict._extra_state", None, r"state_dict\._extra_state is None and no Mapping, .*; nor can a new one"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_what_the_file_is_good_for(
    place: str, value: Any, message: str, run: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    file, content = run
    damaged = copy.deepcopy(content)
    at: Any = damaged
    *inner, last = place.split(".")
    for key in inner:
        at = at[int(key) if isinstance(at, list) else key]
    at[last] = value
    path = file.with_name("wrong.pth")
    torch.save(damaged, path)  # as a stranger writes it: what is named twice stands in the file once
    error = refused(capsys, "train", file, "--resume", path, "--cfg-options", "train_cfg.max_iters=5")
    assert re.search(f"wrong.pth: .*{message}", error), error
