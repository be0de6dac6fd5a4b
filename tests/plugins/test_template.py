"""The template, copied and installed as a stranger would, lists, checks, trains, resumes, tests and infers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from toolbox.cli import main, run

ROOT = Path(__file__).parents[2]
TOOLS = """
import contextlib, io, json, runpy, sys
commands, said = json.loads(sys.argv[1]), []
for file, *arguments in commands:
    sys.argv = [file, *arguments]
    with contextlib.redirect_stdout(io.StringIO()) as output:
        try:
            runpy.run_path(file, run_name="__main__")
        except SystemExit as end:
            assert not end.code, f"{sys.argv} ended with {end.code}"
    said.append(output.getvalue())
print(json.dumps(said))
"""


def tiny(iterations: int) -> list[str]:
    """Options that make the template's training a matter of milliseconds."""
    changes = {
        "model.generator.width": 4,
        "model.generator.depth": 1,
        "model.discriminator.width": 4,
        "train_dataloader.batch_size": 2,
        "train_dataloader.dataset.transforms.0.size": 32,
        "train_cfg.max_iters": iterations,
    }
    return ["--cfg-options", *(f"{key}={value}" for key, value in changes.items())]


class Stranger:
    """A copy of the template outside the checkout, installed into an environment of its own."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        shutil.copytree(ROOT / "plugins" / "template", self.home, ignore=shutil.ignore_patterns("__pycache__"))
        venv.EnvBuilder(symlinks=os.name != "nt").create(folder / "venv")
        self.python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
        site_packages = Path(self("-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
        # The running environment's packages, editable ones too: a path in a .pth file would not process theirs.
        packages = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
        lines = [f"import site; site.addsitedir({path!r})\n" for path in packages]
        (site_packages / "running_environment.pth").write_text("".join(lines))
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(self.python), "install"]
        subprocess.run([*pip, "--quiet", "--no-build-isolation", "--no-deps", "--no-index", str(self.home)], check=True)

    def __call__(self, *arguments: str) -> str:
        """Run the environment's Python in the template's folder; returns what it printed."""
        command = [str(self.python), *arguments]
        ended = subprocess.run(command, cwd=self.home, capture_output=True, text=True, encoding="utf-8")
        assert ended.returncode == 0, f"{arguments} ended with {ended.returncode}:\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    def tools(self, *commands: list[str]) -> list[str]:
        """Run `tools/NAME.py ARGUMENTS` of each, one after the other in one process; returns what each printed."""
        files = [[str(ROOT / "tools" / f"{name}.py"), *arguments] for name, *arguments in commands]
        return json.loads(self("-c", TOOLS, json.dumps(files)).splitlines()[-1])


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    made = Stranger(tmp_path_factory.mktemp("stranger"))
    rng = np.random.default_rng(0)
    for name in ("train/one", "train/two", "test/three"):
        file = made.home / "photos" / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
        coarse.resize((64, 48), Image.Resampling.BICUBIC).save(file)
    return made


@pytest.fixture(scope="module")
def looked_at(stranger: Stranger) -> list[str]:
    """What `plugins check`, a training of the recipe inside the package, and a dry run of the template's print."""
    options = ["--cfg-options", "train_cfg.max_iters=4", "train_cfg.val_interval=4", "custom_hooks.0.interval=2"]
    return stranger.tools(
        ["plugins", "check", "my_gan"],
        ["train", "my_gan/stripes.yaml", *options, "--work-dir", "striped"],
        ["train", "template.yaml", "--dry-run"],
    )


def test_the_installed_template_is_listed_without_importing_torch(stranger: Stranger) -> None:
    assert "my-gan 0.1.0" in stranger.tools(["plugins", "list"])[0]
    program = "import sys; from toolbox.cli import run; run('plugins', ['list']); print(sorted(sys.modules))"
    loaded = stranger("-c", program).splitlines()[-1]
    assert "'my_gan'" in loaded and "'torch'" not in loaded and "'my_gan.generator'" not in loaded


def test_the_templates_components_and_its_own_tests_pass(stranger: Stranger, looked_at: list[str]) -> None:
    checked = looked_at[0].splitlines()
    assert len(checked) == 11 and all(line.startswith("ok") and "keeps to the contract" in line for line in checked)
    assert " passed" in stranger("-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error::UserWarning")


def test_the_recipe_inside_the_package_is_found_by_the_plugins_name_and_needs_no_data(
    stranger: Stranger, looked_at: list[str]
) -> None:
    assert "edge_error[RGB,forward,peak255]" in looked_at[1]
    lines = (stranger.home / "striped" / "losses.csv").read_text().splitlines()
    assert lines[0] == "iteration,g/back,g/pixel" and [line.partition(",")[0] for line in lines[1:]] == ["2", "4"]


def test_a_new_plugin_is_a_copy_of_the_template(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new-plugin", str(tmp_path / "mine")]) == 0  # as `plugins new`
    assert (tmp_path / "mine" / "src" / "my_gan" / "configs" / "stripes.yaml").is_file()
    assert not list((tmp_path / "mine").rglob("__pycache__"))
    assert run("plugins", ["new", str(tmp_path / "mine")]) == 2
    assert "is there already; name a new folder" in capsys.readouterr().err


def test_the_template_trains_resumes_tests_and_infers(stranger: Stranger, looked_at: list[str]) -> None:
    assert "SmoothShuffleUpscaler" in looked_at[2] and "SoftHinge(margin=1.0" in looked_at[2]
    work_dir = stranger.home / "work_dirs" / "template"
    assert not work_dir.exists(), "a dry run leaves nothing behind"

    stranger.tools(["train", "template.yaml", *tiny(2)])
    first = torch.load(work_dir / "iter_2.pth", weights_only=True)
    assert first["meta"]["plugins"]["my_gan"] == "my-gan 0.1.0"
    model = ["--config", "template.yaml", "--checkpoint", "work_dirs/template/iter_4.pth"]
    said, tested, _ = stranger.tools(
        ["train", "template.yaml", "--resume", *tiny(4)],
        ["test", "template.yaml", "work_dirs/template/iter_4.pth", *tiny(4)],
        ["infer", "photos/test", "-o", "enlarged", *model, *tiny(4)],
    )
    assert "4/4" in said and "2/4" not in said, "it began again"
    last = torch.load(work_dir / "iter_4.pth", weights_only=True)
    for network in ("generator.features.0.weight", "discriminator.body.0.weight"):
        assert not torch.equal(first["state_dict"][network], last["state_dict"][network]), f"{network} did not train"

    assert "do nothing" in tested and "psnr[Y601,crop2,uint8,peak255]" in tested
    report = yaml.safe_load((work_dir / "test" / "report.json").read_text())
    assert report["plugins"]["my_gan"] == "my-gan 0.1.0" and report["rows"]["test"]["psnr"] > 10

    with Image.open(stranger.home / "enlarged" / "three.png") as enlarged:
        assert enlarged.size == (128, 96)
