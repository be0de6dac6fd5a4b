"""Finds a config by name: a file as given, one that is shipped with the toolbox, or one of an installed plugin."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

from toolbox.io import installation
from toolbox.io.errors import ConfigError

SUFFIXES = (".yaml", ".yml")


def shipped_folder() -> Path | None:
    """The folder of shipped configs."""
    return installation.shipped("configs")


def shipped_configs() -> dict[str, Path]:
    """Every shipped config by its path below the folder: `sr/esrgan.yaml`."""
    folder = shipped_folder()
    if folder is None:
        return {}
    files = (path for path in sorted(folder.rglob("*")) if path.suffix in SUFFIXES and path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in files}


def find_config(name: str | Path) -> Path:
    """Return the config file called `name`: that path if it exists, or else the shipped config of that name.

    A shipped config may be written as `sr/esrgan.yaml`, `sr/esrgan` or `configs/sr/esrgan.yaml`; one that an installed
    plugin ships as `my_gan/recipe.yaml` or `my_gan/recipe`, the plugin's name first.

    Raises:
        ConfigError: there is none; the message lists close matches.
    """
    written, path = str(name), Path(name)
    try:
        is_file, is_folder = path.is_file(), path.is_dir()
    except (OSError, ValueError):  # a name no disk can hold
        is_file = is_folder = False
    if path.suffix not in (*SUFFIXES, "") and (is_file or path.suffix == ".py"):
        raise ConfigError("only .yaml and .yml configs are read; a .py config would run code", file=written)
    if is_file:
        if not path.suffix:
            raise ConfigError("is no .yaml or .yml file; rename it", file=written)
        return path
    from toolbox.plugins.recipes import recipes  # pluggy waits until a name is no file

    wanted = PurePosixPath(path.as_posix()).as_posix().removeprefix("configs/")
    known = recipes(wanted.partition("/")[0], SUFFIXES) | shipped_configs()
    for candidate in (wanted, *(wanted + suffix for suffix in SUFFIXES)):
        if candidate in known:
            return known[candidate]
    if is_folder:
        raise ConfigError(f"is a folder; name one of its files{_close(wanted, known)}", file=written)
    raise ConfigError(f"there is no such config{_close(wanted, known)}", file=written)


def shown(path: Path) -> str:
    """A path as a message shows it: relative where it lies below the current folder."""
    try:
        return path.relative_to(os.getcwd()).as_posix()
    except (ValueError, OSError):
        return str(path)


def _close(wanted: str, known: dict[str, Path]) -> str:
    """Shipped configs whose path or file name is close to `wanted`, or inside it as a folder."""
    stem = PurePosixPath(wanted).stem
    inside = [name for name in known if name.startswith(f"{wanted}/")]
    same = [name for name in known if PurePosixPath(name).stem == stem]
    stems = get_close_matches(stem, {PurePosixPath(name).stem for name in known}, n=3, cutoff=0.6)
    alike = [name for name in known if PurePosixPath(name).stem in stems]
    close = list(dict.fromkeys([*inside, *same, *alike]))[:3]
    if close:
        return f"; did you mean {' or '.join(repr(name) for name in close)}?"
    folders = sorted({name.rpartition("/")[0] or name for name in known})
    return f"; shipped: {', '.join(folders)}" if folders else ""
