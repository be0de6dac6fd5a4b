"""Files of other runtimes as networks: what they say of themselves, and what is found out about those that do not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from toolbox.assembly.reach import FEATHERED, Reach
from toolbox.contracts.backend import Backend
from toolbox.contracts.graph import Session, missing
from toolbox.contracts.output import Condition
from toolbox.inference.trial import try_apart
from toolbox.io.errors import UserError, did_you_mean
from toolbox.plugins.registry import registry

BYTES = "nhwc_uint8"
LARGEST_SCALE = 16


class ExportedNetwork(nn.Module):
    """Images (B, C, H, W) in [0, 1] to (B, C', scale*H, scale*W), computed by the file's own runtime.

    Args:
        file: for messages.
        session: the file, loaded.
        runtime: the backend's name.
        chosen: conditions by name, as of `Output`.
    """

    def __init__(self, file: Path, session: Session, runtime: str, chosen: Mapping[str, Any]) -> None:
        super().__init__()
        self.file, self.session, self.runtime = file, session, runtime
        said = _description(file, session.metadata)
        self.conditions = [_condition(file, each) for each in said.get("conditions", [])]
        known = [each.name for each in self.conditions]
        strange = [name for name in session.names[1:] if name not in known]
        if not session.names or strange:
            more = f"also takes '{strange[0]}', and does not say what that is" if strange else "takes nothing"
            raise UserError(f"{file}: {more}; only files of `gan-toolbox export` say what else they take")
        self.values = self._chosen(file, chosen)
        self.layout = said.get("layout")
        self.sources, self.masks = tuple(said.get("sources", ("picture",))), {}
        self.clip = bool(said.get("clip", False))
        self.image_channels: int | None = said.get("channels")
        self.multiple, self.period = int(said.get("multiple", 1)), int(said.get("period", 1))
        self.scale = int(said.get("scale") or _scale(file, self))
        self.keeps_colors = said.get("keeps_colors", self.scale > 1)
        far, memory = said.get("reach"), said.get("bytes_per_pixel")
        self.known_reach = (Reach(far, True) if far is not None else Reach(FEATHERED, False)) if said else None
        self.bytes_per_pixel: float | None = memory

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to (B, C', scale*H, scale*W) in [0, 1]."""
        every = {name: each.expand(images.shape[0], *each.shape[1:]) for name, each in self.values.items()}
        given = [every[name].contiguous() for name in self.session.names[1:]]
        if self.layout == BYTES:
            images = (images.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
            return self.session([images.contiguous(), *given]).permute(0, 3, 1, 2).float() / 255
        return self.session([images.float().contiguous(), *given]).float().clamp(0, 1)

    def _chosen(self, file: Path, chosen: Mapping[str, Any]) -> dict[str, Tensor]:
        known = [each.name for each in self.conditions]
        for name in chosen:
            if name not in known:
                raise UserError(f"{file}: has no '{name}' to choose{did_you_mean(name, known)}; what was chosen at its "
                                "export is fixed")  # fmt: skip
        values = {}
        for each in self.conditions:
            value = each.value(chosen.get(each.name, each.default))
            if value is None:
                if each.kind == "picture":
                    raise UserError(f"{file}: takes a picture of a style; name one with --{each.name} FILE")
                count = len(each.labels) if not isinstance(each.labels, int) else each.labels
                value = torch.eye(1, count) if each.kind == "mixture" else torch.zeros(1, dtype=torch.int64)
            values[each.name] = value
        return values


def runtime_of(file: Path, wanted: str = "auto") -> str | None:
    """The backend that reads files like this one, an installed one if any does; None where none does."""
    names = [name for name in registry("backends").names() if file.suffix in _kind(name).suffixes]
    if wanted in names:
        return wanted
    return next((name for name in names if not missing(_kind(name).packages, "")), names[0] if names else None)


def open_exported(
    file: Path, runtime: str, *, precision: str = "fp32", chosen: Mapping[str, Any] | None = None
) -> ExportedNetwork:
    """The network of a file that another runtime computes.

    A file that was never opened here is first tried in a process of its own, with a limit of memory and time.

    Raises:
        UserError: a package is missing, or the file is refused, damaged, or takes something that is not known.
    """
    kind = _kind(runtime)
    if lack := missing(kind.packages, kind.extra):
        raise UserError(f"{file}: {lack}")
    if precision not in kind.precisions:
        raise UserError(f"--precision {precision}: {runtime}, which reads {file.suffix}, computes in "
                        f"{', '.join(kind.precisions)}")  # fmt: skip
    if not file.is_file():
        raise UserError(f"{file}: there is no such weights file")
    backend: Backend = kind()
    try_apart(file, runtime)
    return ExportedNetwork(file, backend.open(file, precision=precision), runtime, chosen or {})


def _kind(name: str) -> Any:
    return registry("backends").get(name)


def _description(file: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """What `export` wrote into the file, its types compared; empty where another program made it."""
    if "gan_toolbox" not in metadata:
        return {}
    try:
        said = json.loads(metadata["gan_toolbox"])
        said.setdefault("period", 1)  # files of before it
        types = {"scale": int, "period": int, "multiple": int, "channels": int, "keeps_colors": bool,
                 "conditions": list, "sources": list, "layout": str}  # fmt: skip
        wrong = [key for key, kind in types.items() if not isinstance(said[key], kind)]
        ranges = {"scale": LARGEST_SCALE, "multiple": 4096, "period": 4096, "channels": 64}
        wrong += [key for key, most in ranges.items() if not 1 <= said[key] <= most]
        if said["reach"] is not None and not 0 <= int(said["reach"]) <= 4096:
            wrong.append("reach")
        if not 0 < float(said["bytes_per_pixel"]) < 1e7:
            wrong.append("bytes_per_pixel")
    except (ValueError, TypeError, LookupError, AttributeError):
        raise UserError(f"{file}: what it says of itself ('gan_toolbox') cannot be understood") from None
    if wrong:
        raise UserError(f"{file}: says {wrong[0]} is {str(said[wrong[0]])[:40]}, which cannot be")
    return said


def _condition(file: Path, said: Any) -> Condition:
    try:
        labels = said["labels"] if isinstance(said["labels"], int) else [str(each) for each in said["labels"]]
        kinds = ("picture", "number", "label", "mixture")
        if said["kind"] not in kinds or not str(said["name"]).isidentifier():
            raise ValueError
        return Condition(
            str(said["name"]), said["kind"], default=said["default"], low=float(said["low"]), high=float(said["high"]),
            labels=labels,
        )  # fmt: skip
    except (ValueError, TypeError, LookupError):
        raise UserError(f"{file}: says something of a condition that cannot be understood") from None


def _scale(file: Path, network: ExportedNetwork) -> int:
    """Of a file that does not say it: what becomes of a small image."""
    side, reasons = 64, []
    for channels in (3, 1, 4):
        try:
            made = network(torch.zeros(1, channels, side, side))
        except (ValueError, RuntimeError) as error:
            reasons.append(str(error))
            continue
        scale = made.shape[-1] / side if made.dim() == 4 else 0
        if scale not in range(1, LARGEST_SCALE + 1) or made.shape[-2] != made.shape[-1]:
            raise UserError(f"{file}: makes {tuple(made.shape)} of an image of {side}x{side}, which is no image of it")
        return int(scale)
    raise UserError(f"{file}: takes no images (B, C, H, W) of float32 ({' '.join(reasons[0].split())[-120:]})")
