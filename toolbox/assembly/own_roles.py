"""Puts somebody's own folders into a recipe: which of its arguments are pictures, which are the style's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolbox.config.signature import constructor_parameters
from toolbox.io.errors import UserError
from toolbox.io.pairs import Pairs
from toolbox.plugins.registry import registry

SIDE = 600
"""Pixels of an own picture's shorter side where recipes say by what factor theirs are enlarged."""
LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")


@dataclass
class Own:
    """What somebody brings along."""

    data: Path
    style: Path | None = None
    pairs: Pairs | None = None
    name: str = "own"
    """What the style is called."""
    hold_out: int | None = None


class Roles:
    """A recipe, merged, with own folders in their places."""

    def __init__(self, recipe: Mapping[str, Any], own: Own) -> None:
        self.own, self.wants_style = own, False
        self.recipe = recipe
        self.made_up: set[str] = set()
        """Names of images that only a stand-in makes."""
        self.old: list[str] = []
        """Styles of the recipe whose pictures the own one replaces."""

    def wants_pairs(self) -> bool:
        """Whether it trains on pairs."""
        return _is_of_pairs(_arguments(self.recipe["train_dataloader"]["dataset"]["type"]))

    def filled(self) -> dict[str, Any]:
        """The recipe with the folders; a test set is left out, and what stands in for real data.

        Raises:
            UserError: a style or pairs are missing, or nothing asks for what is given.
        """
        data: dict[str, Any] = dict(self.recipe)
        for section in ("test_dataloader", "test_evaluator"):
            if data.get(section) is not None:
                data[section] = None
        training = self._dataset(data["train_dataloader"]["dataset"], held_out=False)
        data["train_dataloader"] = {**data["train_dataloader"], "dataset": training}
        if data.get("val_dataloader"):
            held = self._dataset(data["val_dataloader"]["dataset"], held_out=True)
            data["val_dataloader"] = {**data["val_dataloader"], "dataset": held}
        if data.get("val_dataloader") is None or self.own.hold_out is None:
            data["val_dataloader"] = data["val_evaluator"] = None
        elif data.get("val_evaluator"):
            data["val_evaluator"] = self._metrics(data["val_evaluator"])
        data["model"] = self._names(self._styled(data["model"]))
        self._columns(data)
        own = self.own
        if self.wants_style and own.style is None:
            raise UserError("--style FILE|FOLDER: this recipe wants pictures of a style, or of the other kind, too")
        is_half = own.pairs is not None and own.style == own.pairs.targets  # of pairs in two folders
        if own.style is not None and not self.wants_style and not is_half:
            raise UserError(f"--style {own.style}: this recipe has no place for it; leave it out")
        return data

    def _dataset(self, dataset: Mapping[str, Any], *, held_out: bool) -> dict[str, Any]:
        own, made = self.own, dict(dataset)
        known = _arguments(dataset["type"])
        for name, listed in dataset.items():
            if name.startswith("transforms"):  # one list, or one for each name
                several = isinstance(listed, Mapping)
                made[name] = {key: self._transforms(each) for key, each in listed.items()} if several else (
                    self._transforms(listed))  # fmt: skip
        if _is_of_pairs(known):
            made = self._paired(made)
            known = _arguments(made["type"])
        elif "roots" in known:
            first = next(iter(made["roots"]))
            made["roots"] = {key: str(own.data) if key == first else self._style() for key in made["roots"]}
        if "root" in known and "keys" not in known:
            made["root"] = str(own.data)
        if "root_a" in known:
            made["root_a"] = str(own.data)
        if "root_b" in known:
            made["root_b"] = self._style()
        if "styles" in known:
            made["styles"] = {own.name: self._style()}
        if held_out or own.hold_out is not None:
            if "hold_out" not in known:
                raise UserError(f"{dataset['type']} keeps no pictures apart (no hold_out); choose another recipe")
            made |= {"hold_out": own.hold_out} | ({"held_out": True} if held_out else {})
        else:
            made.pop("hold_out", None)
        return made

    def _paired(self, dataset: dict[str, Any]) -> dict[str, Any]:
        """A dataset of pairs, of whichever type the own pairs want, under the names of the recipe."""
        pairs = self.own.pairs
        if pairs is None:
            raise UserError(
                f"{self.own.data}: this recipe learns from pairs, and none are seen: two folders of equal names, "
                "a_LR.png and a_HR.png, or two pictures side by side in each file"
            )
        keys = list(dataset.get("roots") or dataset.get("keys") or ("real_a", "real_b"))
        own = ("type", "root", "roots", "keys", "suffixes")
        rest = {key: value for key, value in dataset.items() if key not in own}
        if pairs.beside:
            return {"type": _type_with("root", "keys"), "root": str(pairs.inputs), "keys": keys, **rest}
        folders = dict(zip(keys, (str(pairs.inputs), str(pairs.targets)), strict=True))
        made = {"type": _type_with("roots", "suffixes"), "roots": folders}
        marks = {key: mark for key, mark in zip(keys, pairs.marks, strict=True) if mark}
        return made | ({"suffixes": marks} if marks else {}) | rest

    def _transforms(self, transforms: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
        """Without those that stand in for data; what they would have made is noted."""
        kept = []
        for each in transforms or []:
            if getattr(registry("transforms").get(each["type"]), "stands_in", False):
                self.made_up |= {value for key, value in each.items() if key == "target" and isinstance(value, str)}
            else:
                kept.append(each)
        return None if transforms is None else kept

    def _metrics(self, metrics: Any) -> Any:
        """Those whose images there still are; the style's file where one names it."""
        listed = metrics if isinstance(metrics, list) else [metrics]
        kept = [self._styled(each) for each in listed if self.made_up.isdisjoint(map(str, each.values()))]
        return kept if kept else None

    def _columns(self, data: dict[str, Any]) -> None:
        samples = (data.get("default_hooks") or {}).get("samples")
        if samples and samples.get("columns") and self.made_up:
            columns = [name for name in samples["columns"] if name not in self.made_up]
            data["default_hooks"] = {**data["default_hooks"], "samples": {**samples, "columns": columns}}

    def _styled(self, value: Any, key: str = "") -> Any:
        """A model or a metric with the own style in each argument that names pictures of one."""
        if isinstance(value, list):
            return [self._styled(each) for each in value]
        if not isinstance(value, Mapping):
            return value
        made = {name: self._styled(each, name) for name, each in value.items()}
        for name in ("image", "style"):
            if "type" in made and isinstance(made.get(name), str):
                made[name] = self._style()
        if "type" in made and isinstance(made.get("images"), Mapping):
            made = self._renamed(made, list(made["images"]))
        return made

    def _renamed(self, loss: dict[str, Any], old: list[str]) -> dict[str, Any]:
        """A loss of several styles that is to know the own one instead, by its name."""
        made = {**loss, "images": {self.own.name: self._style()}}
        if isinstance(loss.get("enlarge"), Mapping):  # factors of pictures that are known
            sized = loss["type"] in registry("losses").names() and "size" in _arguments(loss["type"], "losses")
            first = next(iter(loss["enlarge"].values()))
            made |= {"enlarge": 1.0, "size": SIDE} if sized else {"enlarge": first}
        self.old = old
        return made

    def _names(self, value: Any) -> Any:
        """A model whose lists of styles have the own one in place of those whose pictures it stands for."""
        if not self.old or not isinstance(value, (Mapping, list)):
            return value
        if isinstance(value, list):
            return [self._names(each) for each in value]
        made = {name: self._names(each) for name, each in value.items()}
        if isinstance(made.get("styles"), list):
            made["styles"] = list(dict.fromkeys(self.own.name if each in self.old else each for each in made["styles"]))
        return made

    def _style(self) -> str:
        self.wants_style = True
        return str(self.own.style or "")


def _is_of_pairs(arguments: set[str]) -> bool:
    return "suffixes" in arguments or {"root", "keys"} <= arguments


def _arguments(name: str, kind: str = "datasets") -> set[str]:
    """What the constructor of a component takes."""
    return set(constructor_parameters(registry(kind).get(name))[0])


def _type_with(*arguments: str) -> str:
    """The first dataset, built-in ones before others, that takes these arguments."""
    known = registry("datasets")
    for name in known.names():
        if len(known.owners(name)) == 1 and set(arguments) <= _arguments(name):
            return name
    raise UserError(f"no dataset takes {' and '.join(arguments)}; is the plugin 'datasets' left out?")
