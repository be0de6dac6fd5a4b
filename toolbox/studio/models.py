"""The networks to choose from: shipped, downloaded, or exported and trained below the folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolbox.inference.described import described_scale
from toolbox.io.errors import UserError
from toolbox.io.files import read_json
from toolbox.studio.found import Finder, id_of
from toolbox.weights.models import cached_model, state_of
from toolbox.weights.official_models import MODELS
from toolbox.weights.shipped import ENLARGER, licence_in, shipped_models

Conditions = tuple[Mapping[str, Any], ...]


@dataclass
class Model:
    """A network that can be chosen.

    Args:
        flags: what names it on the command line: `--weights NAME`, or `--config` and `--checkpoint`.
        scale: how many times larger its pictures are; None until it was loaded once.
        conditions: what can be chosen of it, each with `name`, `kind`, `labels`, `low`, `high`; None likewise.
    """

    id: str
    name: str
    kind: str
    flags: Mapping[str, str]
    title: str = ""
    licence: str = ""
    card: str = ""
    scale: int | None = None
    conditions: Conditions | None = None

    def shown(self) -> dict[str, Any]:
        """What the page needs to know."""
        names = ("id", "name", "kind", "title", "licence", "card", "scale", "conditions")
        return {name: getattr(self, name) for name in names}

    def order(self) -> dict[str, str]:
        """What the worker needs to load it."""
        return dict(self.flags)


@dataclass
class Models:
    """All networks there are, and what loading has told of them."""

    finder: Finder
    told: dict[str, tuple[int, Conditions]] = field(default_factory=dict)

    def all(self) -> list[Model]:
        """The shipped ones first, then those below the folder, then downloads."""
        made = [*_shipped(), *self._exports(), *self._runs(), *_downloads()]
        for model in made:
            if model.id in self.told and (model.scale is None or model.conditions is None):
                model.scale, model.conditions = self.told[model.id]
        return made

    def get(self, name: Any) -> Model:
        """The model of an id. Raises UserError where there is none."""
        for model in self.all():
            if model.id == name:
                return model
        raise UserError("there is no such model any more; load the page again")

    def learn(self, model: Model, scale: int, conditions: Conditions) -> None:
        """Remember what loading a model has told."""
        self.told[model.id] = scale, conditions

    def _exports(self) -> Iterator[Model]:
        for path in self.finder.find().exports:
            shown = self.finder.shown(path)
            card = _card(path.with_name("README.md"))
            yield Model(
                id_of(path), shown, "export", {"weights": str(path)}, title=card[0] or "an exported network",
                licence=card[1], card=card[2], scale=described_scale(path, None), conditions=conditions_of(path),
            )  # fmt: skip

    def _runs(self) -> Iterator[Model]:
        for folder in self.finder.find().runs:
            newest = newest_checkpoint(folder)
            if newest is None:
                continue
            flags = {"config": str(folder / "config.yaml"), "checkpoint": str(newest)}
            title = f"as trained, at iteration {newest.stem.removeprefix('iter_')}"
            yield Model(id_of(folder), self.finder.shown(folder), "run", flags, title=title)


def _shipped() -> Iterator[Model]:
    models = shipped_models()
    for name in sorted(models, key=lambda each: (each != ENLARGER, each)):
        title, licence, card = _card(models[name].with_name("README.md"))
        yield Model(
            id_of(name), name, "shipped", {"weights": name}, title=title, licence=licence, card=card,
            scale=described_scale(models[name], None), conditions=conditions_of(models[name]),
        )  # fmt: skip


def _downloads() -> Iterator[Model]:
    for model in MODELS.values():
        if model.importable and state_of(model) == "here":
            file = cached_model(model.name)
            yield Model(
                id_of(str(file)), model.name, "downloaded", {"weights": model.name}, title=model.what,
                licence=model.licence, conditions=(),
            )  # fmt: skip


def newest_checkpoint(folder: Path) -> Path | None:
    """A run's checkpoint of the highest iteration."""
    numbered = [(int(path.stem[5:]), path) for path in folder.glob("iter_*.pth") if path.stem[5:].isdecimal()]
    return max(numbered)[1] if numbered else None


def conditions_of(weights: Path) -> Conditions | None:
    """What can be chosen of exported weights, by the description beside them; None where it does not tell."""
    try:
        description = read_json(weights.with_name(f"{weights.name}.json"))
        if "export" in description:
            found: Any = description.get("conditions", [])
        else:
            output = next(iter(description["outputs"].values()))
            found = output["conditions"]
        return tuple(_condition(each) for each in (_named(found) if isinstance(found, Mapping) else found))
    except (UserError, OSError, ValueError, LookupError, TypeError, AttributeError, StopIteration):
        return None  # an older description, or somebody else's: loading the network will tell


def _named(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, each in found.items():
        if each == "number" and name != "strength":
            raise LookupError(name)  # its range is not told here
        yield {"name": name, **(each if isinstance(each, Mapping) else {"kind": each})}


def _condition(each: Mapping[str, Any]) -> dict[str, Any]:
    labels = each.get("labels") or []
    labels = [str(n) for n in range(labels)] if isinstance(labels, int) else [str(label) for label in labels]
    low, high = float(each.get("low", 0)), float(each.get("high", 1))
    kind, default = str(each["kind"]), each.get("default")
    return {"name": str(each["name"]), "kind": kind, "labels": labels, "low": low, "high": high, "default": default}


def _card(file: Path) -> tuple[str, str, str]:
    """A card's title, its licence and its text; empty where there is none."""
    try:
        text = file.read_text(encoding="utf-8")[:20_000]
    except (OSError, UnicodeDecodeError):
        return "", "", ""
    title, _, rest = text.partition("\n")
    return title.lstrip("# ").strip(), licence_in(rest), rest.strip()
