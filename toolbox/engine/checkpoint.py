"""Checkpoints on disk: tensors and plain types only, read without running code, written whole or not at all."""

from __future__ import annotations

import os
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from toolbox.errors import UserError

LAST = "last_checkpoint"


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU; one that holds anything but tensors and plain types is refused, unread."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: there is no such checkpoint")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an old pickle protocol: what matters is whether it is safe
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = next((line.strip() for line in str(error).splitlines() if "GLOBAL" in line or "global" in line), "")
        raise UserError(
            f"{path}: refused, because it holds more than tensors and plain values and reading it would run code "
            f"({reason[:160]}); save a plain state_dict instead"
        ) from None
    except (RuntimeError, EOFError, ValueError, KeyError, zipfile.BadZipFile, OSError) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(f"{path}: is damaged or no checkpoint ({reason})") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds a {type(content).__name__}, not a checkpoint")
    return content


def write_checkpoint(content: Mapping[str, Any], path: Path) -> None:
    """Write to a temporary file, flush it to the disk, and rename: a crash leaves the old file or the new, whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(temporary, "wb") as file:
            torch.save(plain(content), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def latest_checkpoint(work_dir: Path) -> Path | None:
    """The newest checkpoint of a run, or None."""
    pointer = work_dir / LAST
    if pointer.is_file():
        path = work_dir / Path(pointer.read_text().strip()).name
        if path.is_file():
            return path
    found = [path for path in work_dir.glob("iter_*.pth") if path.stem.removeprefix("iter_").isdigit()]
    return max(found, key=lambda path: int(path.stem.removeprefix("iter_")), default=None)


def plain(value: Any, place: str = "checkpoint") -> Any:
    """Reduce to what `weights_only=True` reads back: tensors on the CPU, plain containers, numbers and strings."""
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, Mapping):
        return {key: plain(item, f"{place}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(plain(item, place) for item in value) if type(value) in (list, tuple) else [*value]
    if isinstance(value, HistoryBuffer):
        log, counts = value.data
        return {"history": torch.from_numpy(np.array(log, float)), "counts": torch.from_numpy(np.array(counts, float))}
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    raise TypeError(f"{place} holds a {type(value).__name__}, which a safe checkpoint cannot")


def message_hub_state(packed: Mapping[str, Any]) -> dict[str, Any]:
    """What mmengine's message hub loads, from what `plain` made of its state."""
    scalars = {
        name: HistoryBuffer(each["history"].tolist(), each["counts"].tolist())
        for name, each in packed.get("log_scalars", {}).items()
    }
    return {**packed, "log_scalars": scalars}


def portable_state(model: nn.Module) -> dict[str, Any]:
    """The model's state dict, whatever wraps its networks; losses are left out (they hold nothing trained)."""
    wrapped = [name for name, child in model.named_children() if isinstance(child, DistributedDataParallel)]
    state = {}
    for key, value in model.state_dict().items():
        head = key.split(".", 1)[0]
        if head == "losses":
            continue
        state[key.replace(f"{head}.module.", f"{head}.", 1) if head in wrapped else key] = value
    return state


def load_portable_state(model: nn.Module, state: Mapping[str, Any], source: str, *, partly: bool = False) -> list[str]:
    """Load a portable state dict; missing, unexpected and misshapen keys are an error that lists them.

    With `partly`, children of which the state holds no key at all stay as they are (a second stage adds a
    discriminator to a first stage's generator); their names are returned.
    """
    own = portable_state(model)
    shape = lambda value: tuple(value.shape) if isinstance(value, Tensor) else None  # noqa: E731
    present = {key.split(".", 1)[0] for key in state}
    absent = sorted({key.split(".", 1)[0] for key in own} - present) if partly else []
    own = {key: value for key, value in own.items() if key.split(".", 1)[0] not in absent}
    problems = [f"missing {key}" for key in own if key not in state]
    problems += [f"unexpected {key}" for key in state if key not in own]
    problems += [
        f"{key} has shape {shape(state[key])} instead of {shape(own[key])}"
        for key in own
        if key in state and shape(own[key]) != shape(state[key])
    ]
    if problems:
        more = f", and {len(problems) - 6} more" if len(problems) > 6 else ""
        raise UserError(f"{source}: does not fit the config's model: {'; '.join(problems[:6])}{more}")
    wrapped = [name for name, child in model.named_children() if isinstance(child, DistributedDataParallel)]
    renamed = {}
    for key, value in state.items():
        head, _, tail = key.partition(".")
        renamed[f"{head}.module.{tail}" if head in wrapped else key] = value
    model.load_state_dict(renamed, strict=False)  # strictness was above: only losses and absent children are missing
    return absent
