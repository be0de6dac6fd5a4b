"""How the algorithms call networks: frozen, several batches at once, padded to the size a network needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import parametrize

from toolbox.contracts.gan_variant import BATCH_NORMS, Logits
from toolbox.contracts.network import unwrapped

_precision: torch.dtype | None = None


@contextmanager
def networks_in(dtype: torch.dtype | None) -> Iterator[None]:
    """Within, networks that `at_precision` wrapped compute in a type; None is float32."""
    global _precision
    before, _precision = _precision, dtype
    try:
        yield
    finally:
        _precision = before


def network_precision() -> torch.dtype | None:
    """The type that `networks_in` set, None for float32."""
    return _precision


def at_precision(network: nn.Module) -> nn.Module:
    """Have every call of a network compute in the current precision and return float32; in place."""
    network.forward = partial(_at_precision, network.forward)
    return network


def _at_precision(forward: Callable[..., Any], *values: Any, **options: Any) -> Any:
    kinds = [each.device.type for each in (*values, *options.values()) if isinstance(each, Tensor)]
    kind = kinds[0] if kinds else "cpu"
    if _precision is None and not torch.is_autocast_enabled(kind):
        return forward(*values, **options)
    with torch.autocast(kind, dtype=_precision, enabled=_precision is not None):
        return at_least_float32(forward(*values, **options))


def at_least_float32(value: Any) -> Any:
    """Cast what a network gave under autocast (bfloat16, float16) to float32, in lists and dicts; float64 stays."""
    if isinstance(value, Mapping):
        return {name: at_least_float32(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [at_least_float32(each) for each in value]
    half = isinstance(value, Tensor) and value.dtype in (torch.bfloat16, torch.float16)
    return value.float() if half else value


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Gradients pass through the network and none reaches its parameters."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


@contextmanager
def unsynchronised(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Forward passes within leave the ranks' gradients apart; the next one outside adds all of them up."""
    with ExitStack() as stack:
        for network in networks:
            if isinstance(network, DistributedDataParallel):
                stack.enter_context(network.no_sync())
        yield


def uncompiled(network: nn.Module) -> AbstractContextManager[None]:
    """Run a compiled network as it is: torch compiles no second derivative, and no hook of an inner module."""
    if unwrapped(network)._compiled_call_impl is None:  # pyright: ignore[reportAttributeAccessIssue]
        return nullcontext()
    return torch.compiler.set_stance("force_eager")


def in_float32(device_type: str) -> AbstractContextManager[Any]:
    """Compute in float32 within: penalties need it."""
    on = torch.is_autocast_enabled(device_type)
    return torch.autocast(device_type, enabled=False) if on else nullcontext()


def mixes_samples(network: nn.Module) -> bool:
    """Whether the network holds batch norm."""
    return any(isinstance(module, BATCH_NORMS) for module in network.modules())


def alike_apart(network: nn.Module) -> bool:
    """Whether batches seen apart give what they give together: nothing is drawn and no vector moves with a call."""
    moving = any(hasattr(module, "weight_u") or parametrize.is_parametrized(module) for module in network.modules())
    return not moving and not any(isinstance(module, _DropoutNd) for module in network.modules())


def judge(discriminator: nn.Module, *batches: Tensor, apart: bool = False) -> list[Logits]:
    """The logits of each batch in float32, in one forward where shapes agree.

    `apart` is for discriminators with batch norm: they see real and fake apart, as in the generators' step, where
    fakes come alone; one trained on their joint statistics would meet other ones there.
    """
    if not apart and len({batch.shape[1:] for batch in batches}) == 1:
        scales = [at_least_float32(scale) for scale in discriminator(torch.cat(batches))]
        split = [scale.split([len(batch) for batch in batches]) for scale in scales]  # by scale, then by batch
        return [[scale[i] for scale in split] for i in range(len(batches))]
    return [[at_least_float32(scale) for scale in discriminator(batch)] for batch in batches]


def call_padded(network: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Call a generator on images (B, C, H, W) of any size: padded to its `multiple`, the result cropped back."""
    multiple, scale = int(getattr(network, "multiple", 1)), int(getattr(network, "scale", 1))
    height, width = images.shape[-2:]
    right, below = -width % multiple, -height % multiple
    if right or below:
        mode = "reflect" if right < width and below < height else "replicate"
        images = pad(images, (0, right, 0, below), mode=mode)
    return network(images)[..., : height * scale, : width * scale]
