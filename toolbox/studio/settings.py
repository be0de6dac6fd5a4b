"""What a page asks of a network, checked: the options of `infer`, and the line that does the same on a terminal."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from toolbox.inference.chosen import refuse_unknown_style
from toolbox.inference.formats import NAMES
from toolbox.inference.options import Options
from toolbox.inference.video.settings import TEMPORAL
from toolbox.inference.video.settings import Settings as FilmSettings
from toolbox.io.errors import UserError, did_you_mean
from toolbox.studio.answers import is_number, number_in
from toolbox.studio.models import Model

KEYS = ("chosen", "outscale", "tile", "precision", "format", "quality", "codec", "temporal", "from", "to")
_FLAGS = {"style": "--style", "strength": "--strength", "seed": "--seed"}
PictureOf = Callable[[Any], tuple[str, str]]
"""The path, and the name, of an uploaded picture by its id."""


@dataclass(frozen=True)
class Settings:
    """How a model is applied: what is chosen of it, by name; the options of `infer`; a result's format or codec."""

    chosen: Mapping[str, Any]
    options: Options
    format: str = "auto"
    quality: int = 95
    shown: Mapping[str, str] | None = None
    """What was chosen, as the command line writes it."""
    films: FilmSettings = field(default_factory=FilmSettings)

    def order(self) -> dict[str, Any]:
        """What the worker needs."""
        films = asdict(self.films)
        return {"chosen": dict(self.chosen), "options": asdict(self.options), "quality": self.quality, "films": films}

    def command(self, model: Model, name: str, *, film: bool = False) -> str:
        """The command that makes the same of a file of that name."""
        words = ["gan-toolbox", "infer", f"./{name}" if name.startswith("-") else name]
        for flag, value in model.flags.items():
            words += [f"--{flag}", value]
        for condition, value in (self.shown or {}).items():
            flag = _FLAGS.get(condition)
            words += [flag, value] if flag else ["--set", f"{condition}={value}"]
        if self.options.outscale is not None:
            words += ["--outscale", f"{self.options.outscale:g}"]
        if self.options.tile is not None:
            words += ["--tile", str(self.options.tile)]
        if self.options.precision != "fp32":
            words += ["--precision", self.options.precision]
        return shlex.join(words + (self._of_films() if film else self._of_pictures()))

    def _of_pictures(self) -> list[str]:
        form = [] if self.format == "auto" else ["--format", self.format]
        return form + ([] if self.quality == 95 else ["--quality", str(self.quality)])

    def _of_films(self) -> list[str]:
        codec = [] if self.films.codec is None else ["--codec", self.films.codec]
        part = [
            (flag, value) for flag, value in zip(("--from", "--to"), self.films.part, strict=True) if value is not None
        ]
        codec += [word for flag, value in part for word in (flag, f"{value:g}")]
        return codec + ([] if self.films.temporal == TEMPORAL else ["--temporal", f"{self.films.temporal:g}"])


def settings_of(given: Any, model: Model, picture_of: PictureOf) -> Settings:
    """Check what a page asks for.

    Raises:
        UserError: a value that is none, out of range, or that the model does not let choose.
    """
    if not isinstance(given, Mapping):
        raise UserError("settings: an object is wanted here")
    for key in given:
        if key not in KEYS:
            raise UserError(f"settings.{key}: there is no such setting{did_you_mean(str(key), KEYS)}")
    chosen, shown = _chosen(given.get("chosen") or {}, model, picture_of)
    file_format, quality = given.get("format") or "auto", given.get("quality", 95)
    if file_format not in (*NAMES, "auto"):
        raise UserError(f"settings.format {file_format!s:.40}: is unknown; known: {', '.join(NAMES)}")
    if isinstance(quality, bool) or not isinstance(quality, int) or not 1 <= quality <= 100:
        raise UserError("settings.quality: must be a whole number from 1 to 100")
    outscale, tile = number_in(given, "outscale", "settings."), number_in(given, "tile", "settings.")
    precision = given.get("precision") or "fp32"
    options = Options(outscale=outscale, tile=None if tile is None else int(tile), precision=str(precision)[:40])
    temporal, codec = number_in(given, "temporal", "settings."), given.get("codec") or None
    films = FilmSettings(
        codec=None if codec is None else str(codec)[:40], temporal=TEMPORAL if temporal is None else temporal,
        first=number_in(given, "from", "settings."), last=number_in(given, "to", "settings."),
    )  # fmt: skip
    return Settings(chosen, options, str(file_format), quality, shown, films)


def _chosen(given: Any, model: Model, picture_of: PictureOf) -> tuple[dict[str, Any], dict[str, str]]:
    if not isinstance(given, Mapping):
        raise UserError("settings.chosen: an object is wanted here")
    known = {each["name"]: each for each in model.conditions or ()}
    chosen: dict[str, Any] = {}
    shown: dict[str, str] = {}
    for name, value in given.items():
        if name not in known:
            raise UserError(f"settings.chosen.{name!s:.40}: {model.name} lets nothing of that name be chosen")
        if value is None or value == "":
            continue
        chosen[name], shown[name] = _value(known[name], value, picture_of)
    return chosen, shown


def _value(condition: Mapping[str, Any], value: Any, picture_of: PictureOf) -> tuple[Any, str]:
    """A condition's value, and how it is written; never a path that came from the page."""
    name, kind = condition["name"], condition["kind"]
    if kind == "picture":
        return picture_of(value)
    if kind == "mixture":
        refuse_unknown_style(str(value)[:400], condition["labels"])
        return str(value), str(value)
    if kind == "label":
        if str(value) not in condition["labels"]:
            raise UserError(f"settings.chosen.{name}: must be one of {', '.join(condition['labels'])}")
        return str(value), str(value)
    if not is_number(value):
        raise UserError(f"settings.chosen.{name}: must be a number")
    if kind == "seed":
        return int(value), str(int(value))
    low, high = condition["low"], condition["high"]
    if not low <= value <= high:
        raise UserError(f"settings.chosen.{name} {value:g}: must be from {low:g} to {high:g}")
    return float(value), f"{value:g}"
