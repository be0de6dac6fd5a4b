"""A config that names a file becomes one that names an architecture, and the file as what training begins with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toolbox import ConfigError, UserError


def spell_out(config: dict[str, Any], model: dict[str, Any]) -> None:
    """Replace `file` of each SpandrelNetwork in a config, in place.

    So that checkpoints, exports and the run's own config stand without it. `load_from` gets the file for networks that
    it does not name; a checkpoint of a whole run there goes before.

    Raises:
        ConfigError: the file cannot be read, or spandrel does not know it.
    """
    for slot, network in model.items():
        if not isinstance(network, dict) or str(network.get("type")).rpartition("/")[2] != "SpandrelNetwork":
            continue
        if not isinstance(network.get("file"), str) or len(network) > 2:
            continue  # the check says what is wrong
        from .generator import arguments_of_file

        try:
            found = arguments_of_file(Path(network["file"]))
        except UserError as error:
            raise ConfigError(str(error), key=f"model.{slot}.file") from None
        file = network.pop("file")
        network.update(found)
        sources = config.get("load_from")
        if not isinstance(sources, str):
            config["load_from"] = {slot: file, **(sources or {})}
