"""A run's page: one HTML file that tells what was trained, how it went, what was measured, and how to use it."""

from __future__ import annotations

import io
import json
import platform
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image

import toolbox
from toolbox.assembly.own_commands import suffix_of
from toolbox.benchmark.page import data_uri, write_html
from toolbox.benchmark.run_files import Curves, config_of, health, number, section
from toolbox.config import Config, load_config
from toolbox.config.load import base_values
from toolbox.engine.claim import LOCK
from toolbox.io.errors import UserError
from toolbox.io.files import read_json, replace_text
from toolbox.io.images import read_image
from toolbox.io.sheets import sheets
from toolbox.plugins.manager import manager
from toolbox.plugins.papers import papers_of
from toolbox.plugins.registry import KINDS
from toolbox.weights.checkpoint import checkpoints
from toolbox.weights.official_models import MODELS
from toolbox.weights.shipped import licence_in, shipped_models

PAGE, CHANGES = "report.html", "changes.json"
SHEETS, SIDE, QUALITY = 24, 1600, 85
"""How many sheets of samples a page holds, spread over the training; their longest side in pixels; of WebP."""
_LONGEST = 400


def write_run_page(folder: Path, changed: Mapping[str, Any] | None = None) -> Path | None:
    """Write `report.html` of a training into its folder; None where nobody trained there.

    Args:
        changed: what its config says otherwise than its bases, as `changes` tells before a training; None of one that
            goes on by its own `config.yaml`: it keeps what it began with.

    Raises:
        OSError: the disk refuses.
    """
    if not (folder / "config.yaml").is_file() or not (folder / LOCK).is_file():
        return None
    if changed is None:
        found = _read(folder / CHANGES)
        known = isinstance(found.get("rows"), list) and isinstance(found.get("base"), list)
        changed = found if known else {"base": [], "rows": []}
    else:
        replace_text(folder / CHANGES, json.dumps(changed) + "\n")
    content = {**story(folder), "changes": changed}
    write_html(str(content["name"]), content, folder / PAGE, ("elements.js", "charts.js", "run.js"))
    return folder / PAGE


def story(folder: Path) -> dict[str, Any]:
    """All that a run's page shows, of the files in its folder; values may be anything that somebody wrote there."""
    config, report, curves = config_of(folder), _read(folder / "report.json"), Curves(folder).refresh()
    kept = checkpoints(folder)
    return {
        "name": str(report.get("title") or folder.name),
        "facts": _facts(config, report, curves),
        "notes": [str(note) for note in _list(report.get("notes"))],
        "rows": report.get("rows") if isinstance(report.get("rows"), dict) else {},
        "protocols": section(report, "protocols"), "rising": section(report, "higher_is_better"),
        "curves": {name: curves.points(name) for name in sorted(curves.curves)},
        "samples": list(_sheets(folder)),
        "health": health(folder),
        "config": (folder / "config.yaml").read_text(encoding="utf-8", errors="replace")[: 1 << 20],
        "environment": environment(),
        "papers": [{"bibtex": each.bibtex, "used_by": each.used_by} for each in papers_of(components(config))],
        "licences": list(licences(config)),
        "commands": _commands(folder, Path(kept[0]) if kept else None, _suffix(config)),
    }  # fmt: skip


# ---------------------------------------------------------------------- what was trained


def changes(config: Config, folder: Path) -> dict[str, Any] | None:
    """What a config says otherwise than its bases: rows of key, the base's value, the value, and who wrote it.

    None of a run's own `config.yaml`, which has no bases.
    """
    if config.file.parent == folder.resolve():
        return None
    if not config.file.is_file():  # it was a mapping of Python's
        return {"base": [], "rows": []}
    names, base = base_values(config.file)
    base = base or load_config(config.file).data  # without a base, what the command line has changed
    rows: list[list[str]] = []
    for key, source in config.sources.items():
        value, before = _at(config.data, key), _at(base, key)
        if not isinstance(value, Mapping) and value != before and key != "work_dir":
            rows.append([key, _text(before), _text(value), source])
    return {"base": names, "rows": rows}


def _at(data: Any, key: str) -> Any:
    for name in key.split("."):
        if not isinstance(data, Mapping) or name not in data:
            return None
        data = data[name]
    return data


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:_LONGEST]


def _facts(config: Mapping[str, Any], report: Mapping[str, Any], curves: Curves) -> list[list[str]]:
    planned, done = number(config, "train_cfg", "max_iters"), report.get("iterations") or curves.last
    costs = section(report, "costs")
    of = f" of {planned:,}" if planned else ""
    facts = [
        ("algorithm", section(config, "model").get("type")), ("iterations", f"{done}{of}"),
        ("batch", number(config, "train_dataloader", "batch_size")), ("seed", report.get("seed", config.get("seed"))),
        ("weights that are measured", report.get("weights")),
        *((f"cost: {name}".replace("_", " "), value) for name, value in costs.items()),
    ]  # fmt: skip
    return [[name, _short(value)] for name, value in facts if value is not None and not isinstance(value, (dict, list))]


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:_LONGEST]


def _sheets(folder: Path) -> Iterator[list[Any]]:
    """Pairs of an iteration and its sheet as a data: URI, spread evenly, with the first and the last."""
    found = [*sheets(folder).items()]
    if len(found) > SHEETS:
        found = [found[round(k * (len(found) - 1) / (SHEETS - 1))] for k in range(SHEETS)]
    for iteration, file in found:
        try:
            image = Image.fromarray(read_image(file))
        except UserError:
            continue
        image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        packed = io.BytesIO()
        image.save(packed, "WEBP", quality=QUALITY)
        yield [iteration, data_uri("image/webp", packed.getvalue())]


# ---------------------------------------------------------------------- what it stands on


def environment() -> list[list[str]]:
    """What the run's process is made of."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    own = {name: text for name, text in manager().versions().items() if text != f"gan-toolbox {toolbox.__version__}"}
    plugins = ", ".join(f"{name} ({text})" for name, text in own.items())
    facts = {
        "gan-toolbox": toolbox.__version__, "Python": sys.version.split()[0], "torch": torch.__version__,
        "system": f"{platform.system()} {platform.machine()}", "threads": str(torch.get_num_threads()),
        "GPU": gpu, "plugins from elsewhere": plugins,
    }  # fmt: skip
    return [[name, value] for name, value in facts.items() if value]


def components(config: Mapping[str, Any]) -> Iterator[tuple[str, type]]:
    """The registered components that a config names, with their names, each once."""
    seen = set()
    for name in _types(config):
        for kind in KINDS.values():
            owners = kind.owners(name.rpartition("/")[2])
            if owners and name not in seen:
                seen.add(name)
                yield name, owners[0].component


def _types(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get("type"), str):
            yield value["type"]
        for each in value.values():
            yield from _types(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _types(each)


def licences(config: Mapping[str, Any]) -> Iterator[list[str]]:
    """The weights that a config begins with, as far as they are known here: name, licence, where that stands."""
    named = {word for text in _texts(config) for word in (text, Path(text).stem, Path(text).parent.name)}
    for name, model in MODELS.items():
        if name in named or any(file.name in named or Path(file.name).stem in named for file in model.files):
            yield [name, model.licence, model.licence_source]
    for name, file in shipped_models().items():
        if name in named:
            card = file.with_name("README.md").read_text(encoding="utf-8")
            yield [name, licence_in(card) or "not said", "its card"]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _texts(each)


def _suffix(config: Mapping[str, Any]) -> str:
    """What export adds to a name; nothing where the algorithm is not known here any more."""
    model = section(config, "model")
    try:
        return suffix_of(model) if isinstance(model.get("type"), str) else ""
    except UserError:
        return ""


def _commands(folder: Path, checkpoint: Path | None, suffix: str) -> list[list[str]]:
    """What comes next, as lines for a terminal in the folder that the training was started in."""
    config = str(_below_here(folder) / "config.yaml")
    rest = ["gan-toolbox", "train", config, "--work-dir", str(_below_here(folder)), "--resume"]
    if checkpoint is None:
        return [["go on with it", shlex.join(rest)]]
    weights = str(_below_here(folder) / checkpoint.name)
    lines = {
        "apply it to pictures and films": ["infer", "photo.jpg", "--config", config, "--checkpoint", weights],
        "export it": ["export", config, weights, "-o", f"{folder.name}.safetensors"],
        "apply what was exported": ["infer", "photo.jpg", "--weights", f"{folder.name}{suffix}.safetensors"],
        "export it for other runtimes": ["export", config, weights, "-o", f"{folder.name}.onnx", "--format", "onnx"],
    }
    return [*([what, shlex.join(["gan-toolbox", *line])] for what, line in lines.items()),
            ["go on with it, or train on", shlex.join(rest)]]  # fmt: skip


def _below_here(folder: Path) -> Path:
    here = Path.cwd().resolve()
    return folder.resolve().relative_to(here) if folder.resolve().is_relative_to(here) else folder.resolve()


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _read(file: Path) -> dict[str, Any]:
    try:
        return read_json(file)
    except (UserError, OSError):
        return {}
