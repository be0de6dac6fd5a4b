"""The wheel, unpacked, holds what a person without the checkout needs, and finds it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the project's own backend without a network, and unpacked as pip would."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder / "site")
    return folder / "site"


def below(folder: Path, pattern: str) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob(pattern) if path.is_file()}


def elsewhere(unpacked: Path, tmp_path: Path, *arguments: str) -> str:
    """What Python prints in an empty folder where the unpacked wheel is the only gan-toolbox."""
    environment = {**os.environ, "PYTHONPATH": str(unpacked), "OMP_NUM_THREADS": "1", "TOOLBOX_STRICT": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_the_code_the_plugins_the_configs_and_the_licences(unpacked: Path) -> None:
    assert below(unpacked / "toolbox" / "configs", "*") == below(ROOT / "configs", "*")
    assert below(unpacked / "toolbox" / "models", "*") == below(ROOT / "models", "*") != set()
    code = {name for name in below(unpacked / "toolbox", "*.py") if not name.startswith("template/")}
    assert code == below(ROOT / "toolbox", "*.py") and (unpacked / "toolbox" / "py.typed").is_file()
    plugins = ROOT / "plugins" / "toolbox_plugins"
    assert below(unpacked / "toolbox_plugins", "*") == below(plugins, "*.py") | below(plugins, "references.bib")
    assert (unpacked / "toolbox/configs/demo/photos/CREDITS.md").is_file()
    assert len(below(unpacked / "toolbox" / "configs" / "demo" / "photos", "*.jpg")) == 16
    (licence,) = unpacked.glob("*.dist-info/licenses/LICENSE")
    assert licence.read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_wheel_holds_nothing_else(unpacked: Path) -> None:
    assert {path.name.partition("-")[0] for path in unpacked.iterdir()} == {"toolbox", "toolbox_plugins", "gan_toolbox"}
    names = {name for name in below(unpacked, "*") if not name.startswith("toolbox/template/tests/")}
    assert not [name for name in names if "test_" in name or "__pycache__" in name or name.endswith(".pth")]


def test_a_plugin_is_begun_from_the_wheels_own_template(unpacked: Path, tmp_path: Path) -> None:
    tracked = {name for name in below(ROOT / "plugins" / "template", "*") if "__pycache__" not in name}
    wanted = {name for name in tracked if name.split("/")[0] not in (".pytest_cache", "work_dirs", "photos", "build")}
    assert wanted <= below(unpacked / "toolbox" / "template", "*")
    code = "from toolbox.cli import main; raise SystemExit(main(['new-plugin', 'mine']))"
    assert "a plugin of every kind" in elsewhere(unpacked, tmp_path, "-c", code)
    assert wanted <= below(tmp_path / "mine", "*")


def test_a_shipped_config_and_its_photographs_are_found_without_the_checkout(unpacked: Path, tmp_path: Path) -> None:
    code = (
        "from toolbox.config import find_config, load_config; import toolbox; print(toolbox.__file__);"
        "print(find_config('demo/style.yaml'));"
        "print(load_config('demo/style').data['val_dataloader']['dataset']['root'])"
    )
    module, config, photos = elsewhere(unpacked, tmp_path, "-c", code).split("\n")[:3]
    assert Path(module) == unpacked / "toolbox" / "__init__.py"
    assert Path(config) == unpacked / "toolbox" / "configs" / "demo" / "style.yaml"
    assert sorted(path.name for path in Path(photos).iterdir()) == ["astronaut.jpg", "chelsea.jpg", "coffee.jpg"]


def test_the_wheels_own_entry_points_list_every_built_in_plugin(unpacked: Path, tmp_path: Path) -> None:
    listed = elsewhere(unpacked, tmp_path, "-c", "from toolbox.cli import main; main(['plugins', 'list'])")
    folders = [path.name for path in (unpacked / "toolbox_plugins").iterdir() if path.is_dir() and path.name[0] != "_"]
    assert len(folders) >= 10 and all(f"│ {name} " in listed for name in folders)
