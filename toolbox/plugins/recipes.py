"""The configs that an installed plugin brings along: `my_gan/recipe.yaml` is `configs/recipe.yaml` in its package."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

from toolbox.plugins.manager import GROUP
from toolbox.plugins.versions import source_of

FOLDER = "configs"


def recipe_folder(plugin: str) -> Path | None:
    """The folder `configs` beside the `__init__.py` of an installed plugin, links resolved; None where there is none.

    The plugin is found by its entry point and not imported. A plugin of a single module, or one that only -p names,
    has no package and so no such folder.
    """
    for entry_point in entry_points(group=GROUP, name=plugin):
        file = source_of(entry_point.value.partition(":")[0].strip())
        if file is not None and file.name == "__init__.py" and (file.parent / FOLDER).is_dir():
            return (file.parent / FOLDER).resolve()
    return None


def recipes(plugin: str, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """A plugin's configs by name, `my_gan/small/recipe.yaml`; what a link leads out of the folder is none of them."""
    folder = recipe_folder(plugin)
    if folder is None:
        return {}
    files = (path for path in sorted(folder.rglob("*")) if path.suffix in suffixes and path.is_file())
    return {
        f"{plugin}/{path.relative_to(folder).as_posix()}": path
        for path in files
        if path.resolve().is_relative_to(folder)
    }
