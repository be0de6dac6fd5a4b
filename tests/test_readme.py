"""The commands of the README and the pages that it begins are run, in order, with two iterations for hundreds."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from forked import ran
from runs import command, pictures
from runs import command as run
from toolbox.io.images import read_image, write_image
from video_clips import clip

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
HOW_TO = [f"how_to/{each}.md" for each in ("enlarge", "restore", "paint", "film", "train", "compare")]
FIRST, *HOW, TRAINING, USING = (
    (ROOT / "docs" / name).read_text() for name in ("first_steps.md", *HOW_TO, "training.md", "using.md")
)
BLOCKS = re.findall(r"```bash\n(.*?)```", "\n".join((README, FIRST, *HOW, TRAINING, USING)), re.DOTALL)
LINES = [line.split("  #")[0].strip() for block in BLOCKS for line in block.splitlines() if line.strip()]
ELSEWHERE = r"pytest|HOST|gan-toolbox studio|^python -m venv|^pip install|^gan-toolbox models download \S+$"
"""What is no command of a test: CI's own, the studio's page, and what fetches."""
COMMANDS = [each for each in dict.fromkeys(LINES) if not re.search(ELSEWHERE, each)]
SHORT = "train_cfg.max_iters=2 train_cfg.val_interval=2"
AT_ONCE = "infer|evaluate|export|new|preview|benchmark"
"""Commands of the toolbox that need no process of their own: what these leave behind is files alone."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stand-in for the checkout, so that nothing is written into it."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("tools", "configs", "plugins"):
        (folder / name).symlink_to(ROOT / name)
    for name in ("photo.jpg", "texture.png"):
        write_image(folder / name, read_image(ROOT / "configs/demo/photos/test/coffee.jpg")[:96, :120])
    for name in ("astronaut", "chelsea", "coffee"):
        write_image(folder / f"photos/{name}.jpg", read_image(ROOT / f"configs/demo/photos/test/{name}.jpg")[:64, :72])
    clip(folder / "film.mp4", frames=3, sound=1)
    return folder


def shortened(command: str) -> str:
    """The same command over two iterations and small photographs, with weights that are there, on two processes."""
    command = re.sub(r"^pip install .*? && ", "", command)  # .ci/run runs the installations
    command = re.sub(r"^gan-toolbox models download \S+ && ", "", command)
    command = command.replace("realesrgan-x4plus-ncnn", "enlarge-x4")
    command = re.sub(r"((infer|evaluate)(\.py)? .*)configs/demo/photos/test(?=$| )", r"\1photos", command)
    command = re.sub(r"iter_\d+\.pth", "iter_2.pth", command)
    command = command.replace("nproc_per_node=8", "nproc_per_node=2").replace("CONFIG", "configs/demo/style.yaml")
    if command.startswith("gan-toolbox new "):
        command += " --untimed"  # tests/assembly/test_own_time.py times
    if re.search(r"(tools/train\.py|gan-toolbox train) ", command) and "--dry-run" not in command:
        command += f" --cfg-options {SHORT}"
    return command


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_runs(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if re.match(rf"gan-toolbox ({AT_ONCE}) ", command):
        monkeypatch.chdir(folder)
        monkeypatch.setenv("TOOLBOX_STRICT", "1")
        assert run(*shlex.split(shortened(command))[1:]) == 0, capfd.readouterr().err
        return
    if words := re.fullmatch(r"(gan-toolbox|python tools/\w+\.py) [^|&;<>$]*", shortened(command)):
        monkeypatch.chdir(folder)
        program = {"gan-toolbox": ["-m", "toolbox.cli"]}.get(words[1]) or words[1].split()[1:]
        done = ran([sys.executable, *program, *shlex.split(words[0].removeprefix(words[1]))])
        assert done.returncode == 0, done.stderr[-2000:]
        return
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


def test_the_config_of_the_page_on_training_trains_on_somebodys_own_photographs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (config,) = re.findall(r"```yaml\n(model:.*?)```", TRAINING, re.DOTALL)
    pictures(tmp_path / "photos" / "train" / "nested", size=104)
    pictures(tmp_path / "photos" / "test", 2, size=56)
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(config)
    small = ["model.generator.width=8", "model.generator.blocks=1", "train_dataloader.batch_size=2"]
    assert command("train", "mine.yaml", "--cfg-options", *SHORT.split(), *small) == 0
    arguments = ["--config", "mine.yaml", "--checkpoint", "work_dirs/mine/iter_2.pth", "--cfg-options", *small]
    assert command("infer", "photos/test", "-o", "out", *arguments) == 0
    assert read_image("out/00.png").shape == (112, 112, 3)


def test_the_page_on_training_shows_what_new_writes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from toolbox.assembly.machine import Machine
    from toolbox.assembly.own import Wish, new_config

    (shown,) = re.findall(r"```yaml\n(# yaml-language-server.*?)```", TRAINING, re.DOTALL)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    wish = Wish("mine", Path("configs/demo/photos/train"), "restore")
    assert new_config(wish, machine=Machine(2, bfloat16=True)).file.read_text() == shown


def test_the_table_of_what_there_is_names_every_component() -> None:
    from toolbox.plugins.registry import KINDS

    table = (ROOT / "docs/components.md").read_text()
    for kind in ("algorithms", "generators", "discriminators", "gan_variants", "losses", "degradations", "datasets"):
        for name in KINDS[kind].names():
            assert f"`{name}`" in table, f"docs/components.md does not name {kind}/{name}"


DOCS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))


@pytest.mark.parametrize("page", ["README.md", "plugins/README.md", *DOCS])
def test_every_link_and_picture_exists(page: str) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", (ROOT / page).read_text()):
        assert target.startswith("https://") or ((ROOT / page).parent / target).exists(), target


def test_the_readme_is_read_in_minutes() -> None:
    assert len(README.splitlines()) <= 150


def test_the_pages_lines_for_python_give_what_they_say(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(from toolbox import evaluate, load.*?)```", USING, re.DOTALL)
    names: dict[str, Any] = {"picture": np.full((24, 20, 3), 128, np.uint8)}
    monkeypatch.chdir(folder)
    exec(code.replace('max_iters": 200', 'max_iters": 2'), names)
    assert names["large"].shape == names["painted"].shape == names["better"].shape == (96, 80, 3)
    assert names["large"].dtype == names["painted"].dtype == np.uint8
    assert names["run"].checkpoint == Path("work_dirs/first/iter_2.pth")
