"""Networks that come with the toolbox: small, trained, each with a card that says on what and how well."""

from __future__ import annotations

import re
from pathlib import Path

from toolbox.io import installation
from toolbox.io.errors import UserError, did_you_mean

ENLARGER = "enlarge-x4"
"""What `infer` applies when nobody names a network: it changes neither colours nor content."""
PAINTER = "painter-x4"
"""What it applies instead when a style, or its strength, is chosen."""
_LICENCE = re.compile(r"\bLicen[cs]e(?:\*\*)?:\s*(.+?)(?:[.;,]\s|\.?\n|$)")


def shipped_models() -> dict[str, Path]:
    """The weights file of every shipped model by its name, which is its folder's.

    In an installed wheel they lie in `toolbox/models`, in a checkout in `models`. A model of several networks is named
    by the file of the one that gives its first output; a card, `README.md`, lies beside it.
    """
    folder = installation.shipped("models")
    found = {}
    for place in sorted(folder.iterdir()) if folder else []:
        files = [file for file in sorted(place.glob("*.safetensors")) if file.with_name(f"{file.name}.json").is_file()]
        if files:
            found[place.name] = files[0]
    return found


def shipped_model(name: str) -> Path:
    """The weights file of a shipped model.

    Raises:
        UserError: there is none of that name.
    """
    models = shipped_models()
    if name not in models:
        raise UserError(f"{name}: there is no such model in this installation{did_you_mean(name, models)}")
    return models[name]


def licence_in(card: str) -> str:
    """The licence that a card names, as in "**Licence**: Apache-2.0, as the toolbox."; empty where it names none."""
    found = _LICENCE.search(card)
    return found[1].strip() if found else ""
