"""From what lies in a weight file to one network's plain state dict: unwrapping, prefixes, spectral norm, precision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from toolbox.io.errors import UserError
from toolbox.weights.inert_pickle import Inert

WRAPPERS = (
    "params_ema", "params-ema", "ema_state_dict", "state_dict_ema", "model_ema", "ema_model", "generator_ema",
    "netG_ema", "net_g_ema", "G_ema", "g_ema", "ema", "params", "generator_state_dict", "netG_state_dict",
    "model_state_dict", "state_dict", "generator", "netG", "net_g", "net_G", "gen", "G", "g", "model", "net",
    "network", "weights",
)  # fmt: skip
"""Keys under which training codes keep the wanted state dict, the averages first."""
AVERAGES = ("params_ema.", "params-ema.", "generator_ema.", "netG_ema.", "net_g_ema.", "ema_model.", "G_ema.", "g_ema.")
NETWORKS = ("params.", "state_dict.", "generator.", "netG.", "net_g.", "model_g.", "gen.", "G.")
"""Prefixes of one network among others; what stands under other prefixes (discriminators, losses) is left out."""
WHOLE = ("module.", "_orig_mod.", "model.", "net.", "network.")
"""Prefixes that wrappers (DDP, torch.compile, Lightning) put before every key."""
DEEPEST = 4
_OTHERS = (
    "optim", "sched", "scaler", "disc", "net_d", "netd", "loss", "criterion", "callback", "hyper", "config", "args",
)  # fmt: skip
"""Parts of the names under which lies what is not wanted."""
_COUNTS = ("total_ops", "total_params")
"""What thop, which counts operations, leaves in networks."""


def unwrapped_state(content: Any, source: str) -> dict[str, Tensor]:
    """The state dict inside what a file holds; entries that are no tensors (counters, strings) are left out.

    Raises:
        UserError: there is none, or its tensors claim to be larger than what is stored.
    """
    for _ in range(DEEPEST):
        if not isinstance(content, Mapping):
            break
        inner = next((key for key in WRAPPERS if isinstance(content.get(key), Mapping) and content[key]), None)
        state = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
        if state and inner is None:  # beside one that is wrapped, tensors are counters and the best results
            kept = {key: value for key, value in state.items() if key.rpartition(".")[2] not in _COUNTS}
            return {key: _whole(value, f"{source}: {key}") for key, value in kept.items()}
        inner = _only_one(content) if inner is None else inner
        if inner is None and (several := _side_by_side(content)):
            content = several
            continue
        if inner is None:
            foreign = next((key for key in WRAPPERS if isinstance(content.get(key), Inert)), None)
            if foreign:
                what = f"its {foreign} is an object of another class, whose code is not run"
                raise UserError(f"{source}: holds no state dict: {what}; save its state_dict() instead")
            if content and all(isinstance(value, Inert) for value in content.values()):
                how = "load it where it was made, and save {key: torch.as_tensor(value)} of them"
                raise UserError(f"{source}: its values are NumPy arrays or other objects, and no tensors; {how}")
            found = ", ".join(sorted(map(str, content))[:8]) or "nothing"
            looked = "params_ema, params, state_dict, generator and other usual names are looked for"
            raise UserError(f"{source}: holds no state dict but {found}; {looked}")
        content = content[inner]
    raise UserError(f"{source}: holds no state dict, only a {type(content).__name__}")


def _only_one(content: Mapping[Any, Any]) -> Any:
    """The key of the one mapping that may hold the wanted state dict, whatever it is called; None where several may."""
    wanted = [
        key
        for key, value in content.items()
        if isinstance(value, Mapping)
        and _holds_tensors(value)
        and not any(part in str(key).lower() for part in _OTHERS)
    ]
    return wanted[0] if len(wanted) == 1 else None


def _holds_tensors(content: Mapping[Any, Any], deep: int = 1) -> bool:
    """Whether a tensor lies in a mapping, or in one within it."""
    if any(isinstance(value, Tensor) for value in content.values()):
        return True
    inner = (value for value in content.values() if isinstance(value, Mapping))
    return deep < DEEPEST and any(_holds_tensors(value, deep + 1) for value in inner)


def _side_by_side(content: Mapping[Any, Any]) -> dict[str, Tensor]:
    """Several state dicts and nothing else, as UNIT keeps its two directions, under the keys of one; or nothing."""
    states = content.values()
    if not all(isinstance(s, Mapping) and all(isinstance(v, Tensor) for v in s.values()) for s in states):
        return {}
    return {f"{name}.{key}": value for name, state in content.items() for key, value in state.items()}


def _whole(value: Tensor, place: str) -> Tensor:
    """The tensor, in float32 if it is a floating one; one whose numbers are not all stored is refused."""
    if value.layout is not torch.strided or value.is_complex() or value.is_quantized:
        raise UserError(f"{place}: is a sparse, complex or quantised tensor, which no network here has")
    if value.is_meta:
        raise UserError(f"{place}: is a tensor without numbers (torch's meta device); save the weights themselves")
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise UserError(f"{place}: claims shape {tuple(value.shape)} and stores less; the file is damaged or a trap")
    return value.float() if value.is_floating_point() else value


def readings(state: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """The ways to read a state dict, the one with the fewest prefixes taken off first.

    Old-architecture ESRGAN and CycleGAN files begin their own keys with `model.`, so that only a format's key test can
    tell whether it is a prefix.
    """
    current = without_spectral_norm({key.replace("._orig_mod.", "."): value for key, value in state.items()})
    for _ in range(DEEPEST):
        yield current
        shorter = _without_prefix(current)
        if shorter is None:
            return
        current = shorter


def _without_prefix(state: dict[str, Tensor]) -> dict[str, Tensor] | None:
    for prefix in (*AVERAGES, *NETWORKS):
        if any(key.startswith(prefix) for key in state):
            chosen = {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
            return {key: value for key, value in chosen.items() if key not in ("steps", "n_averaged")}
    for prefix in WHOLE:
        if state and all(key.startswith(prefix) for key in state if key not in ("steps", "n_averaged")):
            return {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
    # beside keys of a loss's features, as Lightning keeps them
    part = next((prefix for prefix in WHOLE if any(key.startswith(prefix) for key in state)), None)
    if part is None:
        return None
    return {key[len(part) :]: value for key, value in state.items() if key.startswith(part)}


def without_spectral_norm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Replace spectral norm's tensors by the weight that they give, for both of torch's ways to write them."""
    result = dict(state)
    for original, u, v, plain in (
        ("weight_orig", "weight_u", "weight_v", "weight"),
        ("parametrizations.weight.original", "parametrizations.weight.0._u", "parametrizations.weight.0._v", "weight"),
    ):
        for key in [key for key in result if key == original or key.endswith(f".{original}")]:
            head = key[: -len(original)]
            weight, left, right = result.pop(key), result.pop(head + u, None), result.pop(head + v, None)
            if left is not None and right is not None:
                weight = _normalised(weight, left, right, head)
            result[head + plain] = weight
    return result


def _normalised(weight: Tensor, left: Tensor, right: Tensor, head: str) -> Tensor:
    """The weight over its largest singular value u.Wv; transposed convolutions are unfolded along dimension 1."""
    sizes = []
    for dimension in range(min(weight.dim(), 2)):
        matrix = weight.movedim(dimension, 0).flatten(1) if weight.dim() > 1 else weight[:, None]
        if left.shape == matrix.shape[:1] and right.shape == matrix.shape[1:]:
            sizes.append(torch.dot(left, torch.mv(matrix, right)))
    if sizes:  # as many channels in as out: both fit, and only the right one meets its singular vectors
        return weight / max(sizes)
    raise UserError(f"'{head}weight_u' and '{head}weight_v' do not fit its weight of shape {tuple(weight.shape)}")
