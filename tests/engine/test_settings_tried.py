"""Values that only a constructor refuses are refused by every check of a config, before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from runs import command, refused, sr_config, write_config

OPTIMIZER = "optim_wrapper.generator.optimizer"


@pytest.mark.parametrize(
    ("option", "told"),
    [
        (f"{OPTIMIZER}.lr=-1", f"{OPTIMIZER}: Adam: Invalid learning rate: -1"),
        (f"{OPTIMIZER}.betas=[2, 3]", f"{OPTIMIZER}: Adam: Invalid beta parameter"),
        (f"{OPTIMIZER}.weight_decay=-1", f"{OPTIMIZER}: Adam: Invalid weight_decay value: -1"),
        ("param_scheduler.generator=[{type: LinearLR, start_factor: 2}]", "param_scheduler.generator.0: LinearLR"),
        (
            "param_scheduler.generator=[{type: ExponentialLR, gamma: -2}]",
            "param_scheduler.generator.0.gamma: must be 0",
        ),
        ("default_hooks.checkpoint.interval=0", "default_hooks.checkpoint: interval and max_keep_ckpts must be"),
        ("default_hooks.logger.interval=0", "default_hooks.logger: interval must be"),
    ],
)
def test_a_dry_run_refuses_what_the_training_would(
    option: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(sr_config(tmp_path), tmp_path / "run.yaml")
    line = refused(capsys, "train", config, "--dry-run", "--cfg-options", option)
    assert told in line


def test_settings_that_a_training_takes_pass(tmp_path: Path) -> None:
    schedules = "param_scheduler.generator=[{type: MultiStepLR, milestones: [3]}, {type: ConstantLR, begin: 9}]"
    rates = (f"{OPTIMIZER}.lr=0", "param_scheduler.discriminator=[{type: CosineAnnealingLR, T_max: 6, eta_min: 0}]")
    config = write_config(sr_config(tmp_path), tmp_path / "run.yaml")
    assert command("train", config, "--dry-run", "--cfg-options", schedules, *rates) == 0
