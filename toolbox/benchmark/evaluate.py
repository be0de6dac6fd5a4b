"""Prices a folder of images, from any program, against a folder of references, with any registered metric."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from toolbox.assembly.build import BESIDE, build_component
from toolbox.assembly.shared_features import shared_features
from toolbox.benchmark.films import FramePair, Watched, film_pairs, frames_of_film, is_film
from toolbox.benchmark.prices import Prices
from toolbox.config import check_arguments
from toolbox.contracts.clip_metric import ClipMetric, Frame
from toolbox.contracts.metric import ImageMetric, SetMetric, SingleMetric
from toolbox.contracts.nested import nested_components
from toolbox.engine.precision import without_tf32
from toolbox.io.errors import ConfigError, MissingWeights, UserError
from toolbox.io.images import MAX_PIXELS, find_images, images_at, images_to_float, read_image
from toolbox.plugins.registry import registry

DEFAULTS: tuple[dict[str, Any], ...] = ({"type": "PSNR"}, {"type": "SSIM"})
OPTIONAL: dict[str, Any] = {"type": "FeatureDistance", "features": {"type": "EfficientNetLite0"}}
"""Measured too where its weights are installed."""
FEATURES: dict[str, Any] = {"type": "EfficientNetLite0"}
"""What metrics look with that need features and do not say which: its weights come from a package registry."""
MOST_CUT = 15
"""Pixels by which two images may differ when the larger is cut: a scale's remainder, never a wrong scale."""


Metric = ImageMetric | SetMetric


@dataclass(frozen=True)
class Pair:
    """An image and its reference."""

    name: str
    prediction: Path
    reference: Path

    @property
    def film(self) -> str:
        """What the image is a frame of: those that follow each other in one folder are of one film."""
        return self.name.rpartition("/")[0]

    def images(self, max_pixels: int) -> list[np.ndarray]:
        """Both, (H, W, 3) uint8."""
        return [_read(each, max_pixels) for each in (self.prediction, self.reference)]


def find_pairs(
    predictions: Path, references: Path, *, suffix: str = "", reference_suffix: str = "",
    max_pixels: int = MAX_PIXELS, partial: bool = False,
) -> tuple[Iterable[Pair | FramePair], list[str]]:  # fmt: skip
    """Pair the images below two folders by path and name, whatever their formats; also returns those left over.

    Two films are paired frame by frame, read one by one; `partial` leaves out what one of them has more.

    `suffix` ends a prediction's name before the format (`babyx4.png` is of `baby`), `reference_suffix` a reference's.

    Raises:
        UserError: two images of one folder have one name, no name has the suffix, or nothing has a partner.
    """
    if is_film(predictions) or is_film(references):
        return film_pairs(predictions, references, max_pixels, partial=partial), []
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


@shared_features()
def build_metrics(
    wanted: Sequence[Mapping[str, Any] | str], *, crop: int | None = None, channel: str | None = None
) -> tuple[list[Metric], list[str]]:
    """Build metrics from `{type: Name, …}` or names; also returns which are left out for want of their weights.

    `crop` and `channel` are for the metrics that take them and do not say themselves. Without `wanted`: PSNR, SSIM
    and, where its weights are installed, `lite0_distance`.

    Raises:
        ConfigError: a metric does not exist, does not take what is written for it, or no metric is left.
    """
    shared = {name: value for name, value in {"crop": crop, "channel": channel}.items() if value is not None}
    metrics, left_out = [], []
    for i, each in enumerate(wanted or DEFAULTS, start=1):
        try:
            metrics.append(_build(each, shared, f"--metric {i}"))
        except UserError as error:
            if not _is_of_weights(error):
                raise
            left_out.append((error, f"left out: {error}"))
    if not metrics:
        raise left_out[0][0]
    if wanted:
        return metrics, [note for _, note in left_out]
    try:
        return [*metrics, _build(OPTIONAL, shared, "")], []
    except UserError as error:
        return metrics, [f"left out: {error}"]


def _is_of_weights(error: BaseException | None) -> bool:
    """Whether an error came about because weights are not installed."""
    while error is not None and not isinstance(error, MissingWeights):
        error = error.__cause__
    return error is not None


def _build(wanted: Mapping[str, Any] | str, shared: Mapping[str, Any], key: str) -> Metric:
    wanted = {"type": wanted} if isinstance(wanted, str) else wanted
    if not isinstance(wanted, Mapping) or not isinstance(wanted.get("type"), str):
        raise ConfigError(f"wants a name or {{type: Name, …}}, got {wanted!r}", key=key)
    component = registry("metrics").get(wanted["type"])
    if not issubclass(component, Metric):
        raise ConfigError(f"{wanted['type']} measures a whole run, not images", key=key)
    given = {"prediction": "prediction", "reference": "reference", "baseline": False, "features": FEATURES, **shared}
    if wanted.get("style") is not None:  # the references are what it names
        del given["reference"]
    takes = inspect.signature(component).parameters
    config = {**{name: value for name, value in given.items() if name in takes}, **wanted}
    for kind, inner, place in (("metrics", config, key), *nested_components("metrics", config, key)):
        if not isinstance(inner.get("type"), str):
            raise ConfigError(f"wants {{type: Name, …}}, got {dict(inner)!r}", key=place)
        arguments = {name: value for name, value in inner.items() if name not in BESIDE.get(kind, ("type",))}
        check_arguments(registry(kind).get(inner["type"]), arguments, place, None)
    return build_component("metrics", config, key)


@without_tf32()
def evaluate(
    pairs: Iterable[Pair | FramePair],
    metrics: Sequence[Metric],
    *,
    cut: bool = False,
    missing: Sequence[str] = (),
    device: str | torch.device = "cpu",
    max_pixels: int = MAX_PIXELS,
) -> Prices:
    """Measure every pair with every metric; `cut` cuts the larger of two images at its right and bottom.

    Images go to `device`, and metrics' networks follow them there.

    Metrics of sets that compare pairs, and of motion from a pair to the next, are measured here too; the other sets by
    `evaluate_sets`, which adds a row.

    Raises:
        UserError: naming the image that is damaged, of another size than its reference, or cannot be measured.
    """
    columns = columns_of(metrics)
    clips = {name: Watched(metric) for name, metric in columns.items() if isinstance(metric, ClipMetric)}
    single = {name: m for name, m in columns.items() if isinstance(m, ImageMetric) and name not in clips}
    sets = {name: metric for name, metric in columns.items() if isinstance(metric, SetMetric) and metric.paired}
    prices = Prices({name: metric.protocol for name, metric in columns.items()}, missing=list(missing))
    alone = all(isinstance(metric, SingleMetric | SetMetric) for metric in metrics)
    for pair in pairs:
        images = pair.images(max_pixels)
        images = images if alone else _of_one_size(pair, images, cut)
        prediction, reference = (as_tensor(image).to(device) for image in images)
        sample: dict[str, Any] = {"prediction": prediction, "reference": reference}
        try:
            if single:
                prices.rows[pair.name] = {name: metric.value(sample, "prediction") for name, metric in single.items()}
            for watched in clips.values():
                watched.see(Frame(prediction, reference), pair.film)
        except ValueError as error:
            raise UserError(f"{pair.prediction}: {error}") from error
        for metric in sets.values():
            metric.process(None, [{**sample, "name": str(pair.prediction)}])
    finish_sets(prices, sets)
    prices.sets |= {name: watched.total() for name, watched in clips.items()}
    return prices


@without_tf32()
def evaluate_sets(
    predictions: Path,
    references: Path,
    metrics: Sequence[Metric],
    prices: Prices | None = None,
    *,
    device: str | torch.device = "cpu",
    max_pixels: int = MAX_PIXELS,
) -> Prices:
    """Compare all images of two folders, or frames of two films, as sets, whatever their names, numbers and sizes.

    Metrics that want pairs are left out. Images go to `device`, and metrics' networks follow them. `prices` gets the
    results, or else new ones are made.

    Raises:
        UserError: naming the image that is damaged or cannot be measured, or the set that is too small.
    """
    columns = columns_of(metrics)
    sets = {name: metric for name, metric in columns.items() if isinstance(metric, SetMetric) and not metric.paired}
    prices = prices or Prices({name: "" for name in sets})
    for part, folder in (("prediction", predictions), ("reference", references)):
        for name, image in pictures_of(folder, max_pixels) if sets else ():
            sample = {part: as_tensor(image).to(device), "name": name}
            for metric in sets.values():
                metric.process(None, [sample])
    finish_sets(prices, sets)
    return prices


def pictures_of(source: Path, max_pixels: int) -> Iterator[tuple[str, np.ndarray]]:
    """The images (H, W, 3) uint8 of a folder, or the frames of a film, one by one, with their names."""
    if is_film(source):
        yield from frames_of_film(source, max_pixels)
    else:
        yield from ((str(path), _read(path, max_pixels)) for path in images_at(source))


def _read(path: Path, max_pixels: int) -> np.ndarray:
    try:
        return read_image(path, max_pixels=max_pixels)
    except UserError as error:
        more = "; --max-pixels N allows more" if "more than the limit" in str(error) else ""
        raise UserError(f"{error}{more}") from None


def finish_sets(prices: Prices, sets: Mapping[str, SetMetric]) -> None:
    """Write down what metrics of sets found, and their protocols, which are known now."""
    for name, metric in sets.items():
        prices.sets[name] = metric.compute_metrics(metric.results)[metric.name]
        prices.protocols[name] = metric.protocol


def columns_of(metrics: Sequence[Metric]) -> dict[str, Metric]:
    """Each metric by its name, or by its protocol where names meet: unlike protocols never share a column."""
    names = [metric.name for metric in metrics]
    columns = {m.name if names.count(m.name) == 1 else m.protocol: m for m in metrics}
    if len(columns) < len(metrics):
        raise UserError("--metric: the same metric is wanted twice")
    return columns


def _of_one_size(pair: Pair | FramePair, images: list[np.ndarray], cut: bool) -> list[np.ndarray]:
    (height, width), (other_height, other_width) = (image.shape[:2] for image in images)
    sizes = f"{pair.prediction}: is {height}x{width}, and {pair.reference} is {other_height}x{other_width}"
    if (height, width) == (other_height, other_width):
        return images
    if max(abs(height - other_height), abs(width - other_width)) > MOST_CUT:
        raise UserError(f"{sizes}; they must have one size (is the scale right?)")
    if not cut:
        raise UserError(f"{sizes}; --mod-crop cuts the larger one at its right and bottom")
    return [image[: min(height, other_height), : min(width, other_width)] for image in images]


def as_tensor(image: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 to (3, H, W) in [0, 1]."""
    return images_to_float(torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None])[0]
