"""Prices a folder of images, from any program, against a folder of references, with any registered metric."""

from __future__ import annotations

import csv
import inspect
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.table import Table
from rich.text import Text
from torch import Tensor

from toolbox.build import build_component
from toolbox.config import check_arguments
from toolbox.console import console
from toolbox.errors import ConfigError, UserError
from toolbox.images import find_images, images_to_float, read_image
from toolbox.metric import ImageMetric, SingleMetric
from toolbox.nested import nested_components
from toolbox.registry import registry

DEFAULTS: tuple[dict[str, Any], ...] = ({"type": "PSNR"}, {"type": "SSIM"})
OPTIONAL: dict[str, Any] = {"type": "FeatureDistance", "features": {"type": "EfficientNetLite0"}}
"""Measured too where its weights are installed."""
MOST_CUT = 15
"""Pixels by which two images may differ when the larger is cut: a scale's remainder, never a wrong scale."""
NAMED = 5
MEAN = "mean"


@dataclass(frozen=True)
class Pair:
    """An image and its reference."""

    name: str
    prediction: Path
    reference: Path


@dataclass
class Prices:
    """What was measured: for each image by name a value of each metric, and the protocol of each metric."""

    protocols: dict[str, str]
    rows: dict[str, dict[str, float]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    """Images of either folder that have no partner."""

    def means(self) -> dict[str, float]:
        """The mean over images of each metric."""
        return {name: sum(row[name] for row in self.rows.values()) / len(self.rows) for name in self.protocols}

    def print(self) -> None:
        """Show one table, the protocols under it."""
        table = Table(title=f"{len(self.rows)} images")
        table.add_column("")
        for name in self.protocols:
            table.add_column(Text(name), justify="right", overflow="fold")
        for image, row in self.rows.items():
            table.add_row(Text(image), *(f"{row[name]:.4f}" for name in self.protocols))
        table.add_section()
        table.add_row(MEAN, *(f"{value:.4f}" for value in self.means().values()))
        console.print(table)
        notes = [*self.protocols.values(), *([f"without a partner: {named(self.missing)}"] if self.missing else [])]
        for note in notes:
            console.print(Text(note), soft_wrap=True)

    def write(self, path: Path) -> None:
        """Write .csv, .json or .md; the protocols stand in each of them."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(WRITERS[path.suffix.lower()](self), encoding="utf-8")


def _as_csv(prices: Prices) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["image", *prices.protocols.values()])
    for image, row in {**prices.rows, MEAN: prices.means()}.items():
        table.writerow([image, *(row[name] for name in prices.protocols)])
    return text.getvalue()


def _as_json(prices: Prices) -> str:
    def strict(row: Mapping[str, float]) -> dict[str, float | str]:  # JSON has no infinity, PSNR of equal images is
        return {name: value if isfinite(value) else str(value) for name, value in row.items()}

    content = {
        "protocols": prices.protocols,
        "mean": strict(prices.means()),
        "images": {image: strict(row) for image, row in prices.rows.items()},
        "missing": prices.missing,
    }
    return json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _as_markdown(prices: Prices) -> str:
    lines = [f"| | {' | '.join(prices.protocols)} |", f"|---|{'---:|' * len(prices.protocols)}"]
    for image, row in {**prices.rows, f"**{MEAN}**": prices.means()}.items():
        cell = image.replace("|", "\\|")
        lines.append(f"| {cell} | {' | '.join(f'{row[name]:.4f}' for name in prices.protocols)} |")
    lines += ["", "Protocols: " + ", ".join(f"`{protocol}`" for protocol in prices.protocols.values())]
    lines += ["", f"Without a partner: {', '.join(prices.missing)}"] if prices.missing else []
    return "\n".join(lines) + "\n"


WRITERS: dict[str, Callable[[Prices], str]] = {".csv": _as_csv, ".json": _as_json, ".md": _as_markdown}


def find_pairs(
    predictions: Path, references: Path, *, suffix: str = "", reference_suffix: str = ""
) -> tuple[list[Pair], list[str]]:
    """Pair the images below two folders by path and name, whatever their formats; also returns those left over.

    `suffix` ends a prediction's name before the format (`babyx4.png` is of `baby`), `reference_suffix` a reference's.

    Raises:
        UserError: two images of one folder have one name, no name has the suffix, or nothing has a partner.
    """
    found, wanted = _by_name(predictions, suffix), _by_name(references, reference_suffix)
    pairs = [Pair(name, found[name], wanted[name]) for name in wanted if name in found]
    missing = [str(each) for name, each in found.items() if name not in wanted]
    missing += [str(each) for name, each in wanted.items() if name not in found]
    if not pairs:
        first, other = next(iter(found.values())).name, next(iter(wanted.values())).name
        raise UserError(
            f"{predictions}: no image has the name of one in {references} ({first}, {other}); "
            "give --suffix where names end in x4 or the like"
        )
    return pairs, missing


def _by_name(folder: Path, suffix: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in find_images(folder):
        if path.stem.endswith(suffix) and path.stem != suffix:
            name = path.relative_to(folder).with_name(path.stem.removesuffix(suffix)).as_posix()
            if name in found:
                raise UserError(f"{path}: {found[name]} has the same name, so its partner is not clear; remove one")
            found[name] = path
    if not found:
        raise UserError(f"{folder}: no image's name ends in {suffix!r}")
    return found


def build_metrics(
    wanted: Sequence[Mapping[str, Any] | str], *, crop: int | None = None, channel: str | None = None
) -> tuple[list[ImageMetric], list[str]]:
    """Build metrics from `{type: Name, …}` or names; also returns why one of the default set is left out.

    `crop` and `channel` are for the metrics that take them and do not say themselves. Without `wanted`: PSNR, SSIM
    and, where its weights are installed, `lite0_distance`.

    Raises:
        ConfigError: a metric does not exist, or does not take what is written for it.
    """
    shared = {name: value for name, value in {"crop": crop, "channel": channel}.items() if value is not None}
    metrics = [_build(each, shared, f"--metric {i}") for i, each in enumerate(wanted or DEFAULTS, start=1)]
    if wanted:
        return metrics, []
    try:
        return [*metrics, _build(OPTIONAL, shared, "")], []
    except UserError as error:
        return metrics, [f"left out: {error}"]


def _build(wanted: Mapping[str, Any] | str, shared: Mapping[str, Any], key: str) -> ImageMetric:
    wanted = {"type": wanted} if isinstance(wanted, str) else wanted
    if not isinstance(wanted, Mapping) or not isinstance(wanted.get("type"), str):
        raise ConfigError(f"wants a name or {{type: Name, …}}, got {wanted!r}", key=key)
    component = registry("metrics").get(wanted["type"])
    if not issubclass(component, ImageMetric):
        raise ConfigError(f"{wanted['type']} measures a whole run, not single images", key=key)
    given = {"prediction": "prediction", "reference": "reference", "baseline": False, **shared}
    takes = inspect.signature(component).parameters
    config = {**{name: value for name, value in given.items() if name in takes}, **wanted}
    for kind, inner, place in (("metrics", config, key), *nested_components("metrics", config, key)):
        if not isinstance(inner.get("type"), str):
            raise ConfigError(f"wants {{type: Name, …}}, got {dict(inner)!r}", key=place)
        check_arguments(registry(kind).get(inner["type"]), inner, place, None)
    return build_component("metrics", config, key)


def evaluate(
    pairs: Iterable[Pair], metrics: Sequence[ImageMetric], *, cut: bool = False, missing: Sequence[str] = ()
) -> Prices:
    """Measure every pair with every metric; `cut` cuts the larger of two images at its right and bottom.

    Raises:
        UserError: naming the image that is damaged, of another size than its reference, or cannot be measured.
    """
    columns = _columns(metrics)
    prices = Prices({name: metric.protocol for name, metric in columns.items()}, missing=list(missing))
    alone = all(isinstance(metric, SingleMetric) for metric in metrics)
    for pair in pairs:
        images = [read_image(pair.prediction), read_image(pair.reference)]
        images = images if alone else _of_one_size(pair, images, cut)
        sample: dict[str, Tensor] = {"prediction": _as_tensor(images[0]), "reference": _as_tensor(images[1])}
        try:
            prices.rows[pair.name] = {name: metric.value(sample, "prediction") for name, metric in columns.items()}
        except ValueError as error:
            raise UserError(f"{pair.prediction}: {error}") from error
    return prices


def _columns(metrics: Sequence[ImageMetric]) -> dict[str, ImageMetric]:
    """Each metric by its name, or by its protocol where names meet: unlike protocols never share a column."""
    names = [metric.name for metric in metrics]
    columns = {m.name if names.count(m.name) == 1 else m.protocol: m for m in metrics}
    if len(columns) < len(metrics):
        raise UserError("--metric: the same metric is wanted twice")
    return columns


def _of_one_size(pair: Pair, images: list[np.ndarray], cut: bool) -> list[np.ndarray]:
    (height, width), (other_height, other_width) = (image.shape[:2] for image in images)
    sizes = f"{pair.prediction}: is {height}x{width}, and {pair.reference} is {other_height}x{other_width}"
    if (height, width) == (other_height, other_width):
        return images
    if max(abs(height - other_height), abs(width - other_width)) > MOST_CUT:
        raise UserError(f"{sizes}; they must have one size (is the scale right?)")
    if not cut:
        raise UserError(f"{sizes}; --mod-crop cuts the larger one at its right and bottom")
    return [image[: min(height, other_height), : min(width, other_width)] for image in images]


def _as_tensor(image: np.ndarray) -> Tensor:
    return images_to_float(torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None])[0]


def named(items: Sequence[str]) -> str:
    """The first few of a list, and how many more there are."""
    more = len(items) - NAMED
    return ", ".join(items[:NAMED]) + (f" and {more} more" if more > 0 else "")
