"""Rules over combinations: a third party's, and what the command line makes of each finding."""

from __future__ import annotations

from pathlib import Path

import pytest

from runs import command, style_config, write_config
from toolbox.assembly.compatibility import check_combination
from toolbox.io.errors import CompatibilityWarning, ConfigError
from toolbox.plugins.manager import use
from toolbox.plugins.registry import registry
from toolbox.testing.objective import LeastSquares
from toolbox.testing.training import assemble


def test_a_plugins_rule_warns_and_refuses(install) -> None:
    algorithm = assemble(registry("algorithms").get("CycleGAN"), LeastSquares)
    install(
        "strict",
        "from toolbox import hookimpl\nfrom toolbox.io.errors import ConfigError\n@hookimpl\n"
        "def model_built(config, algorithm, warn):\n"
        "    warn('model.ema', 'is missing; averages look better')\n"
        "    if 'seed' in config:\n        raise ConfigError('no seeds here', key='seed')\n",
    )
    use(None)  # plugins are discovered anew
    config = {"model": {"type": "CycleGAN", "variant": {"type": "LSGAN"}}}
    with pytest.warns(CompatibilityWarning, match="model.ema: is missing; averages look better"):
        check_combination(config, algorithm)
    with pytest.warns(CompatibilityWarning), pytest.raises(ConfigError, match="no seeds here"):
        check_combination({**config, "seed": 1}, algorithm)


@pytest.mark.filterwarnings("default::toolbox.io.errors.CompatibilityWarning")
@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_a_warning_is_one_line_said_once_however_many_discriminators_it_concerns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    config = style_config(tmp_path, variant={"type": "Vanilla", "regularizers": [{"type": "R1", "every": 2}]})
    config["optim_wrapper"]["discriminator"] = {"optimizer": {"type": "Adam", "lr": 1e-4}}  # beta 0.9 by default
    config["train_cfg"] = {"max_iters": 2}
    for name in ("val_dataloader", "val_evaluator"):
        config.pop(name, None)
    assert command("train", write_config(config, tmp_path / "run.yaml"), *options) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert len(said) == 1 and said[0].startswith("warning: optim_wrapper.discriminator.optimizer.betas: R1 with")


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_a_refusal_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    config = style_config(tmp_path, variant={"type": "WGAN", "clip": None})
    assert command("train", write_config(config, tmp_path / "run.yaml"), *options) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: ") and "model.variant: WGAN has no bound" in lines[0]
