"""What the description beside exported weights tells of them, without reading them and without numpy or torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toolbox.io.errors import UserError
from toolbox.io.files import read_json
from toolbox.weights.shipped import shipped_model, shipped_models

_NOT_DESCRIBED = (UserError, OSError, ValueError, LookupError, TypeError, StopIteration)
"""Another kind of file, or what loading it will tell."""


def described_scale(weights: Path | None, output: str | None) -> int | None:
    """The scale of exported weights by the description beside them, without reading them; None where none tells."""
    try:
        description, chosen = _described(weights, output)
        if "export" in description:  # a file of another runtime holds all of one output
            return int(description["scale"])
        networks = chosen["networks"] if isinstance(chosen, dict) else chosen[1:]
        return int(description["scale"]) if networks == [description["slot"]] else None
    except _NOT_DESCRIBED:
        return None


def described_labels(weights: Path | None, output: str | None, condition: str) -> list[str] | None:
    """The names that a condition of exported weights knows, by their description; None where none tells."""
    try:
        conditions = _described(weights, output)[1]["conditions"]
        if isinstance(conditions, list):
            conditions = {each["name"]: each for each in conditions}
        return [str(label) for label in conditions[condition]["labels"]]
    except _NOT_DESCRIBED:
        return None


def _described(weights: Path | None, output: str | None) -> tuple[Any, Any]:
    """The description beside weights, and what it says of an output, by default the first."""
    if weights is None:
        raise LookupError
    if not weights.exists() and str(weights) in shipped_models():
        weights = shipped_model(str(weights))
    description = read_json(weights.with_name(f"{weights.name}.json"))
    if "export" in description:
        return description, description
    return description, description["outputs"][output or next(iter(description["outputs"]))]
