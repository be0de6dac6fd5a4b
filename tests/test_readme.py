"""The README's commands are run, in order, with two iterations instead of hundreds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
COMMANDS = [line.split("  #")[0].strip() for block in BLOCKS for line in block.splitlines() if line.strip()]
SHORT = "train_cfg.max_iters=2 train_cfg.val_interval=2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stand-in for the checkout, so that nothing is written into it."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("tools", "configs", "plugins"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def shortened(command: str) -> str:
    """The same command over two iterations, and on two processes where the README says eight."""
    command = re.sub(r"^pip install .*? && ", "", command)  # .ci/run runs the installations
    command = re.sub(r"iter_\d+\.pth", "iter_2.pth", command)
    command = command.replace("nproc_per_node=8", "nproc_per_node=2").replace("CONFIG", "configs/demo/style.yaml")
    if "tools/train.py" in command and "--dry-run" not in command:
        command += f" --cfg-options {SHORT}"
    return command


@pytest.mark.parametrize("command", [c for c in COMMANDS if "pytest" not in c and "HOST" not in c])
def test_a_command_of_the_readme_runs(command: str, folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "TOOLBOX_STRICT": "1"}
    done = subprocess.run(shortened(command), shell=True, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_commands_that_ci_runs_are_marked() -> None:
    for name in ("install", "tests"):
        assert re.search(rf"<!-- ci: {name} -->\n```bash\npip install -c constraints\.txt", README)


def test_the_readmes_generator_keeps_to_the_contract() -> None:
    from toolbox.testing import check_generator

    source = re.search(r"```python\n# my_generator\.py\n(.*?)```", README, re.DOTALL)
    assert source
    names: dict[str, type] = {}
    exec(source[1], names)
    check_generator(names["Doubler"]())


def test_the_readmes_config_is_what_new_writes(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from toolbox.assembly.own import Wish, new_config
    from toolbox.assembly.own_fit import Machine

    (shown,) = re.findall(r"```yaml\n(.*?_base_.*?)```", README, re.DOTALL)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    wish = Wish("mine", Path("configs/demo/photos/train"), "restore")
    assert new_config(wish, machine=Machine(2, bfloat16=True)).file.read_text() == shown


def test_the_table_of_what_there_is_names_every_component() -> None:
    from toolbox.plugins.registry import KINDS

    for kind in ("algorithms", "generators", "discriminators", "gan_variants", "losses", "degradations", "datasets"):
        for name in KINDS[kind].names():
            assert f"`{name}`" in README, f"the README does not name {kind}/{name}"


def test_every_link_and_picture_of_the_readme_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target
