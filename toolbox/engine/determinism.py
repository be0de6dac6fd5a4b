"""`randomness.deterministic` on GPUs: forms of the layers whose own backward adds up in any order, and the refusals.

torch raises for such layers at the first backward pass (torch.use_deterministic_algorithms lists them).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from toolbox.io.errors import ConfigError

KEY = "randomness.deterministic"
_LINEAR = ("linear", "bilinear", "trilinear", "bicubic", "area")
_REFUSED = {
    nn.AvgPool3d: "nn.AvgPool2d over (B, C*T, H, W)",
    nn.AdaptiveMaxPool2d: "nn.AdaptiveAvgPool2d or nn.MaxPool2d",
    nn.FractionalMaxPool2d: "nn.MaxPool2d",
    nn.FractionalMaxPool3d: "nn.MaxPool3d",
    nn.MaxUnpool1d: "nn.Upsample",
    nn.MaxUnpool2d: "nn.Upsample",
    nn.MaxUnpool3d: "nn.Upsample",
    nn.CTCLoss: "a loss of images",
}
"""Layers that no form here replaces, and what could stand in their place."""


def check_deterministic(networks: nn.Module) -> None:
    """Refuse, before the run starts, a model with a layer that has no deterministic backward on GPUs.

    Raises:
        ConfigError: naming the layer's place, its class and the ways out.
    """
    for name, module in networks.named_modules():
        instead = _REFUSED.get(type(module))
        if isinstance(module, nn.EmbeddingBag) and module.mode == "max":
            instead = "mode='mean'"
        if instead:
            raise ConfigError(
                f"{name or 'the model'} is a {type(module).__name__}, which is not deterministic on GPUs; "
                f"use {instead}, or write deterministic: false",
                key=KEY,
            )


@contextmanager
def deterministic_training(on: bool, devices: tuple[str, ...] = ("cuda",)) -> Iterator[None]:
    """Within, layers of `devices` take their deterministic forms, if `on`; others compute as ever.

    Raises:
        ConfigError: where torch stops at an operation without such a form, naming it.
    """
    if not on:
        yield
        return
    try:
        with DeterministicForms(devices):
            yield
    except RuntimeError as error:
        operation, found, _ = str(error).partition(" does not have a deterministic implementation")
        if not found:
            raise
        message = f"{operation.split()[-1]} is not deterministic on GPUs; replace it, or write deterministic: false"
        raise ConfigError(message, key=KEY) from error


def prepare_determinism() -> None:
    """Let cuBLAS compute in one order: it reads this variable at its first product."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


class DeterministicForms(TorchFunctionMode):
    """Replaces calls that will be differentiated on `devices`; values stay, up to rounding."""

    def __init__(self, devices: tuple[str, ...]) -> None:
        super().__init__()
        self.devices = devices

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call the form of `func`, or `func` itself where none is needed."""
        form, kwargs = _FORMS.get(func), kwargs or {}
        if form is not None and torch.is_grad_enabled():
            images = args[0] if args else kwargs.get("input")
            if isinstance(images, Tensor) and images.requires_grad and images.device.type in self.devices:
                result = form(*args, **kwargs)
                if result is not None:
                    return result
        return func(*args, **kwargs)


def pad(input: Tensor, pad: Iterable[int], mode: str = "constant", value: float | None = None) -> Tensor | None:
    """Reflection padding of (…, C, H, W) by slices, turned round: the same values, and gradients that slices add."""
    widths = list(pad)
    if mode != "reflect" or input.dim() - len(widths) // 2 not in (1, 2):
        return None
    for axis, (before, after) in enumerate(zip(widths[::2], widths[1::2], strict=True), start=1):
        length = input.shape[-axis]
        if max(before, after) >= length:
            return None  # torch's error says it
        if before < 0 or after < 0:
            input = input.narrow(-axis, max(-before, 0), length + min(before, 0) + min(after, 0))
            before, after, length = max(before, 0), max(after, 0), input.shape[-axis]
        parts = [input]
        if before:
            parts.insert(0, input.narrow(-axis, 1, before).flip(-axis))
        if after:
            parts.append(input.narrow(-axis, length - 1 - after, after).flip(-axis))
        input = torch.cat(parts, -axis) if len(parts) > 1 else input
    return input


def interpolate(
    input: Tensor,
    size: int | tuple[int, ...] | None = None,
    scale_factor: float | tuple[float, ...] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor | None:
    """Resizing (B, C, …) along one axis after the other, as the linear map that it is."""
    if mode not in _LINEAR:
        return None
    axes = input.dim() - 2
    sizes, scales = (_of_each(value, axes) for value in (size, scale_factor))
    for axis in range(axes):
        settings = (sizes[axis], scales[axis], mode, align_corners, recompute_scale_factor, antialias)
        input = _apply(input, axis + 2, *_resizing(input.shape[axis + 2], *settings))
    return input


def adaptive_average(input: Tensor, output_size: tuple[int | None, ...]) -> Tensor:
    """Adaptive average pooling of the last axes of (…, H, W), one after the other; None keeps an axis."""
    for axis, new in zip(range(-len(output_size), 0), output_size, strict=True):
        old = input.shape[axis]
        if new == 1:
            input = input.mean(axis, keepdim=True)
        elif new is not None and new != old:
            input = _apply(input, axis, *_resizing(old, new, None, "area", None, None, False))
    return input


def max_pool(input: Tensor, *args: Any, **kwargs: Any) -> Tensor | None:
    """Max pooling of (…, H, W): the places of the largest, gathered."""
    if kwargs.pop("return_indices", False):
        return None
    values, places = F.max_pool2d_with_indices(input.detach(), *args, **kwargs)
    return input.flatten(-2).gather(-1, places.flatten(-2)).view_as(values)


def _adaptive(axes: int) -> Callable[..., Tensor]:
    def form(input: Tensor, output_size: int | tuple[int | None, ...]) -> Tensor:
        return adaptive_average(input, _of_each(output_size, axes))

    return form


_FORMS: dict[Callable[..., Any], Callable[..., Tensor | None]] = {
    F.pad: pad,
    F.interpolate: interpolate,
    F.max_pool2d: max_pool,
    torch.max_pool2d: max_pool,
    **{
        function: _adaptive(axes)
        for axes, functions in {
            1: (F.adaptive_avg_pool1d, torch.adaptive_avg_pool1d),
            2: (F.adaptive_avg_pool2d,),
            3: (F.adaptive_avg_pool3d,),
        }.items()
        for function in functions
    },
}


def _of_each(value: Any, axes: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list | torch.Size) else (value,) * axes


@lru_cache(maxsize=256)
def _resizing(
    old: int, new: int | None, scale: float | None, mode: str, corners: bool | None, recompute: bool | None, soft: bool
) -> tuple[Tensor, Tensor]:
    """The map of a line of `old` pixels: which pixels (taps, n) each of n new ones adds, and their weights (taps, n).

    torch's own numbers: a picture is made taller or lower whose every column holds one white pixel. It has two
    columns at least: torch 2.13 repeats the first row of an antialiased picture of one.
    """
    kind = {"trilinear": "bilinear", "linear": "bilinear"}.get(mode, mode)
    white = torch.eye(old, max(old, 2), dtype=torch.float64)[None, None]  # (1, 1, old, columns)
    with torch.no_grad():
        size, scales = (None if new is None else (new, white.shape[3])), (None if scale is None else (scale, 1.0))
        lines = F.interpolate(
            white, size, scales, kind, align_corners=corners, recompute_scale_factor=recompute, antialias=soft
        )  # (1, 1, new, columns)
        weights = lines[0, 0, :, :old].T  # (old, new)
        taps = int((weights != 0).sum(0).max())
        places = (weights != 0).to(torch.uint8).argsort(dim=0, descending=True, stable=True)[:taps]  # (taps, new)
        return places, weights.gather(0, places)


def _apply(images: Tensor, axis: int, places: Tensor, weights: Tensor) -> Tensor:
    """Add up the weighted pixels along one axis; what index_select adds in its backward pass, it adds in order."""
    axis %= images.dim()
    shape = [-1 if i == axis else 1 for i in range(images.dim())]
    dtype = images.dtype
    images = images if dtype == torch.float64 else images.float()  # as torch: half precision would add roundings
    places, weights = places.to(images.device), weights.to(images)
    total: Tensor | None = None
    for place, weight in zip(places, weights, strict=True):
        part = images.index_select(axis, place) * weight.view(shape)
        total = part if total is None else total + part
    assert total is not None  # every new pixel has a tap
    return total.to(dtype)
