"""Whether a run can continue from a checkpoint: what it holds is looked over before anything of the run is changed.

A checkpoint may be whole on the disk and yet wrong inside: written by another version, or by somebody's script.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mmengine.optim.scheduler.param_scheduler import _ParamScheduler
from torch import Tensor, nn

from toolbox.config.yaml_loader import MAX_DEPTH
from toolbox.engine.data_changes import typed_parts
from toolbox.engine.packaged_optimizers import MATRICES
from toolbox.engine.random_state import restore_random_state, undisturbed
from toolbox.io.errors import UserError
from toolbox.weights.state import OWN, portable_state

PARTS = {
    "meta": Mapping, "state_dict": Mapping, "optimizer": Mapping, "param_schedulers": Mapping, "message_hub": Mapping,
    "ranks": list,
}  # fmt: skip
LONGEST = 10**9
"""Iterations; schedules are replayed one by one."""
MOST = 100_000
"""Values of settings; those of the largest configs are some thousands."""
OTHER_SHAPES = ("Adafactor", "LBFGS", *MATRICES)
"""Optimizers whose moments have not their parameters' shapes."""
WRONG = (ValueError, TypeError, LookupError, RuntimeError, AttributeError, OverflowError)


class Wrong(Exception):
    """Something in a checkpoint is not what it should be: the place, and what it should be."""


def check_resumable(checkpoint: Mapping[str, Any], file: str, algorithm: nn.Module, optimizers: Any) -> None:
    """Refuse a checkpoint of this model that a run cannot continue from; what `check_written` looks at is right.

    Raises:
        UserError: one line, which says whether a new run can at least begin with its weights.
    """
    with _refusing(checkpoint, file, algorithm):
        own = portable_state(algorithm)
        _check_state(checkpoint["state_dict"], own, "state_dict")
        for name in optimizers.keys():  # noqa: SIM118 (mmengine's dict of optimizers iterates over nothing)
            _check_optimizer(checkpoint, name, optimizers[name].optimizer)
        _check_ranks(checkpoint["ranks"], own)


def check_written(checkpoint: Mapping[str, Any], file: str, algorithm: nn.Module) -> None:
    """Refuse a checkpoint that no run of whatever model can have written.

    Raises:
        UserError: one line, which says whether a new run can at least begin with its weights.
    """
    with _refusing(checkpoint, file, algorithm):
        missing = [key for key in PARTS if key not in checkpoint]
        if missing:
            raise Wrong(f"holds no {', '.join(sorted(missing))}")
        for key, kind in PARTS.items():
            _is(checkpoint[key], kind, key)
        _check_meta(checkpoint)
        _check_hub(checkpoint["message_hub"])
        for row, values in _is(checkpoint.get("report", {}), Mapping, "report").items():
            for name, value in _is(values, Mapping, f"report.{row}").items():
                _is(value, (int, float), f"report.{row}.{name}")

        _check_early_stop(_is(checkpoint.get("early_stop") or {}, Mapping, "early_stop"))


def _check_early_stop(saved: Mapping[str, Any]) -> None:
    for number, each in enumerate(_is(saved.get("seen", []), list, "early_stop.seen")):
        place = f"early_stop.seen.{number}"
        if len(_is(each, list, place)) != 2:
            raise Wrong(f"{place} is no iteration and its value")
        _counts(each[0], place)
        _is(each[1], (int, float), place)


@contextmanager
def _refusing(checkpoint: Mapping[str, Any], file: str, algorithm: nn.Module) -> Iterator[None]:
    try:
        yield
    except Wrong as error:
        raise UserError(f"{file}: {error}, so a run cannot continue from it; {_rest(checkpoint, algorithm)}") from None


def check_state(state: Any, file: str, algorithm: nn.Module) -> None:
    """Refuse the state of a model whose counters or weights are of other types. Raises UserError."""
    if state is None:
        raise UserError(f"{file}: has no 'state_dict'; a checkpoint of this toolbox is wanted here")
    try:
        _check_state(_is(state, Mapping, "state_dict"), portable_state(algorithm), "state_dict")
    except Wrong as error:
        raise UserError(f"{file}: {error}; the file is damaged, or no checkpoint of this toolbox") from None


def _rest(checkpoint: Mapping[str, Any], algorithm: nn.Module) -> str:
    """What the checkpoint is good for nevertheless."""
    try:
        _check_state(_is(checkpoint.get("state_dict"), Mapping, "state_dict"), portable_state(algorithm), "state_dict")
        _is(_is(checkpoint.get("meta"), Mapping, "meta").get("algorithm"), str, "meta.algorithm")
    except Wrong:
        return "nor can a new one begin with it"
    return "a new run can begin with its weights (load_from)"


def _check_meta(checkpoint: Mapping[str, Any]) -> None:
    meta = checkpoint["meta"]
    for key in ("iter", "batch_size", "world_size"):
        _counts(meta.get(key), f"meta.{key}")
    if not meta["iter"] <= LONGEST:
        raise Wrong(f"meta.iter is more than the {LONGEST:.0e} that any run has")
    _settings(_is(meta.get("lasting") or {}, Mapping, "meta.lasting"), "meta.lasting")
    for place, value, kind in typed_parts(_is(meta.get("data") or {}, Mapping, "meta.data")):
        _is(value, kind, f"meta.data.{place}")
    for group, each in _is(meta.get("schedules"), Mapping, "meta.schedules").items():
        for number, schedule in enumerate(_is(each, list, f"meta.schedules.{group}")):
            _settings(_is(schedule, Mapping, f"meta.schedules.{group}.{number}"), f"meta.schedules.{group}.{number}")
    for group, each in _is(meta.get("optimizers", {}), Mapping, "meta.optimizers").items():
        place = f"meta.optimizers.{group}"
        _settings(each, place)
        _is(_is(_is(each, Mapping, place).get("optimizer"), Mapping, f"{place}.optimizer").get("type"), str, place)
    for group in dict.fromkeys([*meta["schedules"], *checkpoint["param_schedulers"]]):
        place, states = f"param_schedulers.{group}", checkpoint["param_schedulers"].get(group, [])
        if len(_is(states, list, place)) != len(meta["schedules"].get(group) or []):
            raise Wrong(f"{place} has {len(states)} schedules and meta.schedules others")
        for number, state in enumerate(states):
            here = f"{place}.{number}"
            if methods := [key for key in _is(state, Mapping, here) if hasattr(_ParamScheduler, str(key))]:
                raise Wrong(f"{here} holds {methods[0]!s:.40}, which is no setting")
            for key in ("_global_step", "last_step"):
                if _is(state.get(key), int, f"{here}.{key}") > meta["iter"]:
                    raise Wrong(f"{here}.{key} is after meta.iter")
            for key in ("base_values", "_last_value"):
                for value in _is(state.get(key), list, f"{here}.{key}"):
                    _number(value, f"{here}.{key}")


def _settings(value: Any, place: str) -> None:
    """What a config can say: text, numbers, and lists and dictionaries of them, nested as a config can be."""
    for count, (where, each) in enumerate(_parts(value, place, MAX_DEPTH)):
        if count > MOST:  # a dictionary that is named twice on each level doubles with every level
            raise Wrong(f"{place} holds more than {MOST:,} values")
        _is(each, (Mapping, list, tuple, str, int, float, type(None)), where)


def _parts(value: Any, place: str, levels: int) -> Iterator[tuple[str, Any]]:
    """A value and all within it, each with its place."""
    if not levels:
        raise Wrong(f"{place:.60} is nested more than {MAX_DEPTH} levels deep")
    yield place, value
    if isinstance(value, (Mapping, list, tuple)):
        for key, each in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _parts(each, f"{place}.{key}", levels - 1)


def _check_state(state: Mapping[str, Any], own: Mapping[str, Any], place: str) -> None:
    """Weights are tensors, and other state has what modules of this run save: `own`, its portable state."""
    for key, value in state.items():
        _is(key, str, f"{place}.{key!r:.40}")
        if not key.endswith(OWN):
            _is(value, Tensor, f"{place}.{key}")
        elif key in own:
            _like(own[key], value, f"{place}.{key}")


def _check_optimizer(checkpoint: Mapping[str, Any], name: str, optimizer: Any) -> None:
    place = f"optimizer.{name}"
    saved = _is(checkpoint["optimizer"].get(name), Mapping, place)
    groups = _is(saved.get("param_groups"), list, f"{place}.param_groups")
    if len(groups) != len(optimizer.param_groups):
        raise Wrong(f"{place} has {len(groups)} groups of parameters and the config {len(optimizer.param_groups)}")
    parameters: list[Tensor] = []
    for number, (group, now) in enumerate(zip(groups, optimizer.param_groups, strict=True)):
        here = f"{place}.param_groups.{number}"
        numbers = _is(_is(group, Mapping, here).get("params"), list, f"{here}.params")
        wanted = [*range(len(parameters), len(parameters) + len(now["params"]))]
        if any(type(each) is not int for each in numbers) or numbers != wanted:
            raise Wrong(f"{here} has {len(numbers)} parameters, which are not the model's {len(now['params'])}")
        parameters += now["params"]
        _number(group.get("lr"), f"{here}.lr")
        for key in (key for key in group if key in now and key != "params"):
            _settings(group[key], f"{here}.{key}")
            _like(now[key], group[key], f"{here}.{key}")
        for key in ("initial_lr", "scaled"):
            _number(group.get(key, 1.0), f"{here}.{key}")
    told = (checkpoint["meta"].get("optimizers") or {}).get(name, {}).get("optimizer", {}).get("type")
    kinds: dict[str, tuple[type, bool]] | None = None
    for number, moments in _is(saved.get("state"), Mapping, f"{place}.state").items():
        here = f"{place}.state.{number!r:.40}"
        if type(number) is not int or not 0 <= number < len(parameters):
            raise Wrong(f"{here} belongs to no parameter")
        single = parameters[number].dim() == 0  # whose moments are all of the shape that others' counts have
        own = {
            key: (type(value), getattr(value, "shape", None) == ())
            for key, value in _is(moments, Mapping, here).items()
        }
        if single and kinds is not None and own.keys() == kinds.keys():
            own = {key: (own[key][0], kinds[key][1]) for key in own}
        if kinds is not None and kinds != own and told not in MATRICES:
            raise Wrong(f"{here} has other moments than the parameter before it")
        kinds = kinds if single else own
        for key, value in moments.items():
            shaped = isinstance(value, Tensor) and value.shape in ((), parameters[number].shape)
            if not shaped and told not in OTHER_SHAPES and not (value is None or isinstance(value, (int, float))):
                raise Wrong(f"{here}.{key} has not the parameter's shape")
    trained = _is(saved.get("trained", parameters), list, f"{place}.trained")
    if [getattr(each, "shape", None) for each in trained] != [each.shape for each in parameters]:
        raise Wrong(f"{place}.trained are not the model's parameters")
    skipped = _is(saved.get("skipped", [0, 0]), list, f"{place}.skipped")
    for value in skipped if len(skipped) == 2 else [None]:
        _counts(value, f"{place}.skipped")
    for value in _is(saved.get("loss_scale", {}), Mapping, f"{place}.loss_scale").values():
        _is(value, Tensor, f"{place}.loss_scale")


def _check_hub(hub: Mapping[str, Any]) -> None:
    for key in ("log_scalars", "runtime_info", "resumed_keys"):
        _is(hub.get(key), Mapping, f"message_hub.{key}")
    for name, each in hub["log_scalars"].items():
        place = f"message_hub.log_scalars.{name}"
        shapes = [_is(_is(each, Mapping, place).get(key), Tensor, place).shape for key in ("history", "counts")]
        if shapes[0] != shapes[1] or len(shapes[0]) != 1:
            raise Wrong(f"{place} is no row of values and their counts")


def _check_ranks(ranks: list[Any], state: Mapping[str, Any]) -> None:
    for number, rank in enumerate(ranks):
        here = f"ranks.{number}"
        _check_state(_is(_is(rank, Mapping, here).get("own"), Mapping, f"{here}.own"), state, f"{here}.own")
        random: Any = _is(rank.get("random"), Mapping, f"{here}.random")
        try:
            with undisturbed():
                restore_random_state(random)
        except WRONG as error:
            raise Wrong(f"{here}.random is no state of random numbers ({' '.join(str(error).split())[:80]})") from None


def _is(value: Any, kind: type | tuple[type, ...], place: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        kinds = " or ".join(each.__name__ for each in (kind if isinstance(kind, tuple) else (kind,)))
        raise Wrong(f"{place} is {_shown(value)} and no {kinds}")
    return value


def _counts(value: Any, place: str) -> None:
    if _is(value, int, place) < 0:
        raise Wrong(f"{place} is negative")


def _number(value: Any, place: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
        raise Wrong(f"{place} is {_shown(value)} and no finite number")


def _like(own: Any, found: Any, place: str) -> None:
    """Compare with what this run would save there; keys may come, and lists may be of any length."""
    if isinstance(own, Tensor):
        if _is(found, Tensor, place).dtype != own.dtype or found.dim() != own.dim():
            raise Wrong(f"{place} is a tensor of another kind")
    elif isinstance(own, Mapping):
        for key, value in own.items():
            if key not in _is(found, Mapping, place):
                raise Wrong(f"{place} holds no {key}")
            _like(value, found[key], f"{place}.{key}")
        for key in (key for key in found if key not in own):
            _is(found[key], (Tensor, Mapping, list, int, float, str), f"{place}.{key}")
    elif isinstance(own, (list, tuple)):
        if isinstance(own, tuple) and len(_is(found, (list, tuple), place)) != len(own):
            raise Wrong(f"{place} has {len(found)} values and not {len(own)}")
        for number, value in enumerate(_is(found, (list, tuple), place)):
            _like(own[0] if own else value, value, f"{place}.{number}")
            _is(value, (Tensor, Mapping, list, tuple, int, float, str), f"{place}.{number}")
    elif isinstance(own, str):
        _is(found, str, place)
    elif isinstance(own, bool):
        _is(found, (bool, type(None)), place)
    elif own is None:
        _is(found, (int, float, str, type(None), Tensor), place)
    elif isinstance(own, int):
        _number(found, place)
        if own >= 0 and found < 0:
            raise Wrong(f"{place} is negative")
    elif isinstance(own, float) and not (isinstance(found, float) and found == own):  # a bound may be infinity
        _number(found, place)


def _shown(value: Any) -> str:
    return f"{value!r:.40}" if value is None or isinstance(value, (bool, float, str)) else f"a {type(value).__name__}"
