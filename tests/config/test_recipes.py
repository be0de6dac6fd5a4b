"""An installed plugin brings recipes along; they are found by its name, inside its package, and nothing is imported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from toolbox.config import find_config, load_config
from toolbox.io.errors import ConfigError
from toolbox.plugins.recipes import recipe_folder, recipes

RECIPE = """
_base_: toolbox:super_resolution/srgan_small.yaml
train_cfg: {max_iters: 7}
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configs folder of an installed plugin `labkit`, whose package `labs.kit` fails when it is imported."""
    site = tmp_path / "site"
    folder = site / "labs" / "kit" / "configs"
    (folder / "small").mkdir(parents=True)
    for each in (site / "labs", site / "labs" / "kit"):
        (each / "__init__.py").write_text("raise RuntimeError('imported')")
    info = site / "labkit-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: labkit\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[toolbox.plugins]\nlabkit = labs.kit\n")
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "small" / "recipe.yaml").write_text("_base_: ../recipe.yaml\n")
    (site / "labs" / "kit" / "secret.yaml").write_text("a: 1")
    monkeypatch.syspath_prepend(str(site))
    return folder


def test_a_plugins_recipe_is_found_by_its_name_without_importing_it(package: Path) -> None:
    for name in ("labkit/recipe.yaml", "labkit/recipe"):
        assert find_config(name) == package / "recipe.yaml"
    assert set(recipes("labkit", (".yaml",))) == {"labkit/recipe.yaml", "labkit/small/recipe.yaml"}
    assert "labs" not in sys.modules


def test_a_recipe_may_stand_on_one_that_the_toolbox_ships_and_on_its_own(package: Path) -> None:
    config = load_config("labkit/small/recipe")
    assert config.data["train_cfg"]["max_iters"] == 7 and config.data["model"]["type"] == "SRGAN"
    shipped = load_config("super_resolution/srgan_small.yaml")
    assert config.data["model"] == shipped.data["model"], "its own bases were read, from the toolbox's folder"


@pytest.mark.parametrize("name", ["labkit/../secret.yaml", "labkit/secret.yaml", "labs/recipe.yaml", "labkit/recip"])
def test_nothing_outside_the_plugins_folder_is_found(package: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="there is no such config"):
        find_config(name)


def test_a_misspelt_recipe_names_the_one_that_was_meant(package: Path) -> None:
    with pytest.raises(ConfigError, match=r"labkit/recipi\.yaml: .*did you mean 'labkit/recipe\.yaml'"):
        find_config("labkit/recipi.yaml")


def test_a_link_out_of_the_folder_is_no_recipe(package: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text("a: 1")
    (package / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    assert "labkit/link.yaml" not in recipes("labkit", (".yaml",))


def test_a_recipe_cannot_leave_its_folder_by_a_base(package: Path) -> None:
    (package / "leaving.yaml").write_text("_base_: ../secret.yaml\n")
    with pytest.raises(ConfigError, match=r"_base_: '\.\./secret\.yaml' leaves the folder"):
        load_config("labkit/leaving.yaml")


@pytest.mark.parametrize("item", ["toolbox:../pyproject.yaml", "toolbox:/etc/x.yaml", "toolbox:srgan_smal.yaml"])
def test_only_shipped_configs_are_bases_by_the_toolboxs_name(package: Path, item: str) -> None:
    (package / "odd.yaml").write_text(f"_base_: '{item}'\n")
    with pytest.raises(ConfigError, match="_base_: the toolbox ships no config"):
        load_config("labkit/odd.yaml")


def test_a_plugin_without_a_package_or_one_that_is_not_installed_has_no_recipes() -> None:
    assert recipe_folder("no_such_plugin_at_all") is None and recipes("no_such_plugin_at_all", (".yaml",)) == {}
    assert recipe_folder("srgan") is None  # a built-in plugin's configs are the toolbox's
