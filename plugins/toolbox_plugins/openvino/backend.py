"""OpenVINO on the CPU, in the precision that was asked for and in no other."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from toolbox import Backend, Graph, Session, UserError
from toolbox_plugins.onnx.conversion import kept_onnx

PACKAGES = ("openvino", "onnx", "onnxscript")
HINTS = {"fp32": "f32", "bf16": "bf16"}
"""OpenVINO's names; left alone, it computes in bf16 without a word where the processor can."""
SHAPES = 4
"""Shapes of images for which a network is compiled; more are computed by one for all shapes."""


class OpenVINO(Backend):
    """Intel's runtime, in float32 or bfloat16 on the CPU, with as many threads as torch."""

    precisions = ("fp32", "bf16")
    packages = PACKAGES
    extra = "openvino"
    suffixes = (".xml",)

    def prepare(self, graph: Graph, folder: Path, *, precision: str = "fp32") -> Session:
        """By an ONNX file in the folder."""
        file = kept_onnx(graph, folder)
        try:
            return _Session(core().read_model(file), precision)
        except RuntimeError as error:
            raise UserError(f"OpenVINO cannot load it ({' '.join(str(error).split())[-160:]})") from None

    def open(self, file: Path, *, precision: str = "fp32") -> Session:
        """Load an `.xml` and the `.bin` beside it."""
        return opened(file, precision)


@lru_cache(maxsize=1)
def core() -> Any:
    """OpenVINO's own entry."""
    return package().Core()


def package() -> Any:
    """OpenVINO, without what tells Google Analytics of each use: a request nobody asked for, by a forked process."""
    sys.modules.setdefault("openvino_telemetry", None)  # pyright: ignore[reportArgumentType] (importing it now fails)
    import openvino

    return openvino


def opened(file: Path, precision: str) -> Session:
    """A session of a file.

    Raises:
        UserError: it is damaged, or names other files.
    """
    from .safety import refuse_hostile

    refuse_hostile(file)
    try:
        return _Session(core().read_model(file, file.with_suffix(".bin")), precision)
    except (RuntimeError, MemoryError) as error:
        raise UserError(f"{file}: OpenVINO cannot load it ({' '.join(str(error).split())[-160:]})") from None


class _Session:
    """Compiled anew for the first shapes, which is twice as fast for some networks as one for all shapes."""

    def __init__(self, model: Any, precision: str) -> None:
        self.model = model
        self.settings = {
            "INFERENCE_PRECISION_HINT": HINTS[precision],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        self.names: Sequence[str] = [each.get_any_name() for each in model.inputs]
        info = model.get_rt_info()
        self.metadata: Mapping[str, str] = {key: str(value.value) for key, value in info.items() if _is_text(value)}
        self.compiled: dict[tuple[Any, ...], Any] = {}

    def __call__(self, tensors: Sequence[Tensor]) -> Tensor:
        shapes = tuple(tuple(each.shape) for each in tensors)
        key = shapes if shapes in self.compiled or len(self.compiled) < SHAPES else ()
        if key not in self.compiled:
            self.compiled[key] = self._compile(key)
        request = self.compiled[key]
        try:
            made = request.infer([each.detach().numpy() for each in tensors], share_inputs=True, share_outputs=False)
        except RuntimeError as error:
            said = " ".join(str(error).split())
            raise (MemoryError if "alloc" in said else ValueError)(f"OpenVINO: {said[-160:]}") from None
        return torch.from_numpy(made[0])

    def _compile(self, shapes: tuple[Any, ...]) -> Any:
        model = self.model
        if shapes:
            model = model.clone()
            model.reshape(dict(zip(self.names, shapes, strict=True)))
        return core().compile_model(model, "CPU", self.settings).create_infer_request()


def _is_text(value: Any) -> bool:
    return isinstance(getattr(value, "value", None), (str, int, float))
