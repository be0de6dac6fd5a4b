"""spandrel's architectures: found without what they do not need, recognised by keys, built from plain settings."""

from __future__ import annotations

import importlib
import json
import re
import sys
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec, module_from_spec
from inspect import isclass, signature
from itertools import zip_longest
from math import prod
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.overrides import TorchFunctionMode

from toolbox import UserError
from toolbox.contracts.graph import missing
from toolbox.io.errors import did_you_mean
from toolbox.plugins.manager import failure_of
from toolbox.weights.importing import Unfilled

PACKAGES = ("spandrel", "einops", "typing_extensions")
EXTRA = "spandrel"
SPARE = 1 << 20
"""Numbers that a network may have beyond those of its file."""
LARGEST = 1 << 26
"""Numbers of a table that follows from a network's sizes: which pixel of a window is how far from which other."""
FACTORIES = ("arange", "eye", "full", "linspace", "logspace", "ones", "rand", "randn", "tensor", "zeros")

INITIAL = ("add_", "clamp_", "erfinv_", "mul_")
"""What its own truncated normal distribution is made of: slow on tensors without memory, and of no use there."""


@dataclass(frozen=True)
class Architecture:
    """One of spandrel's: what recognises and loads it, and the classes of its networks."""

    name: str
    loader: Any
    """spandrel's own `Architecture`: `detect(state)`, `load(state)`."""
    classes: Mapping[str, type[nn.Module]]


@cache
def architectures() -> dict[str, Architecture]:
    """All that can be imported here, by spandrel's names; LaMa and RestoreFormer need torchvision, the others do not.

    Raises:
        UserError: spandrel, or what it stands on, is not installed.
    """
    if lack := missing(PACKAGES, EXTRA):
        raise UserError(lack)
    found: dict[str, Architecture] = {}
    with _past_the_door():
        home = importlib.import_module("spandrel.architectures")
        for name in [module.name for module in iter_modules(home.__path__) if not module.name.startswith("_")]:
            failure_of(lambda name=name: found.update({name: _architecture(name)}))
    return found


@contextmanager
def _past_the_door() -> Iterator[None]:
    """Let parts of spandrel be imported, without its `__init__.py`, which imports all and with them torchvision.

    Whoever imports spandrel afterwards gets it whole, or their error.
    """
    if "spandrel" in sys.modules:
        yield
        return
    spec = find_spec("spandrel")
    assert spec is not None
    sys.modules["spandrel"] = module_from_spec(spec)
    try:
        yield
    finally:
        del sys.modules["spandrel"]


def _architecture(name: str) -> Architecture:
    module: ModuleType = importlib.import_module(f"spandrel.architectures.{name}")
    classes = [each for each in vars(module).values() if isclass(each) and issubclass(each, nn.Module)]
    return Architecture(name, getattr(module, f"{name}Arch")(), {each.__name__: each for each in classes})


def detected(keys: Collection[str]) -> Architecture | None:
    """The architecture of a state dict of these keys; None where spandrel knows none."""
    outline = dict.fromkeys(keys)
    return next((each for each in architectures().values() if each.loader.detect(outline)), None)


def network_class(architecture: str) -> tuple[Architecture, type[nn.Module]]:
    """What `DAT` names, or `PLKSR.RealPLKSR` where an architecture has several networks.

    Raises:
        UserError: nothing, or several.
    """
    name, _, network = architecture.partition(".")
    known = architectures()
    if name not in known:
        raise UserError(f"architecture: spandrel has no {name!r} here{did_you_mean(name, known)}")
    classes = known[name].classes
    if not network and len(classes) > 1:
        raise UserError(f"architecture: {name} has several networks; write {name}.{f' or {name}.'.join(classes)}")
    if network and network not in classes:
        raise UserError(f"architecture: {name} has no network {network!r}{did_you_mean(network, classes)}")
    return known[name], classes[network or next(iter(classes))]


def described(found: Architecture, network: nn.Module) -> dict[str, Any]:
    """The arguments of `SpandrelNetwork` that build this network: its architecture, and its settings as YAML has them.

    Settings that are no plain values are spandrel's own defaults, and left out.

    Raises:
        UserError: the network keeps another one's settings, as MMRealSR does.
    """
    name = type(network).__name__
    given: Any = getattr(network, "hyperparameters", {})
    settings = {key: json.loads(json.dumps(value)) for key, value in given.items() if _plain(value)}
    if not settings.keys() <= signature(network.__init__).parameters.keys():
        raise UserError(f"spandrel's {found.name} does not say what it is built of, so that no run could keep it")
    return {"architecture": found.name if len(found.classes) == 1 else f"{found.name}.{name}", "settings": settings}


def _plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_plain(each) for each in value)
    return value is None or isinstance(value, (bool, int, float, str))


def loaded(found: Architecture, state: Mapping[str, Tensor]) -> Any:
    """spandrel's descriptor of a state dict: `model` with its weights, `scale`, `size_requirements` and more.

    Raises:
        UserError: the state dict is damaged, or of a network that wants more than images.
    """
    numbers = sum(value.numel() for value in state.values())
    deepest = max((int(part) for key in state for part in re.findall(r"\d+", key)[:8]), default=0)
    if deepest > max(len(state), 1024):
        raise UserError(f"its keys count up to {deepest:,}, and it has {len(state):,} of them: it is damaged or a trap")
    made: list[Any] = []
    with _at_most(numbers + SPARE), SmallTables(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        error = failure_of(lambda: made.append(found.loader.load(dict(state))))
    if error is not None:
        raise UserError(f"looks like spandrel's {found.name} and is not: {_one_line(error)}")
    if not hasattr(made[0], "_call_fn") or made[0].purpose == "Inpainting":
        raise UserError(f"spandrel's {found.name} wants a mask beside the image, and is no generator here")
    return made[0]


def built(found: Architecture, network: type[nn.Module], settings: Mapping[str, Any]) -> nn.Module:
    """A network with initial weights. Raises UserError where the settings are not its own."""
    made: list[nn.Module] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        error = failure_of(lambda: made.append(network(**settings)))
    if error is not None:
        raise UserError(f"settings: {found.name} cannot be built of these: {_one_line(error)}")
    return made[0]


@contextmanager
def outlined() -> Iterator[None]:
    """Within, weights take no memory and have no values; small tensors that networks compute with stay as they are."""
    with torch.device("meta"), Unfilled(), ConstantsAside():
        yield


class ConstantsAside(TorchFunctionMode):
    """Makes every tensor but the empty ones, which weights begin as, on the CPU: networks read depths from some.

    Initial values of weights without memory are left out.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func.__name__ in INITIAL and isinstance(args[0], Tensor) and args[0].is_meta:
            return args[0]
        if func.__name__ == "__set__" and args[0].is_meta:  # `weight.data = torch.eye(3)`, as RCAN has it
            args = (args[0], args[1].to("meta"))
        if func.__name__ in FACTORIES:
            kwargs.setdefault("device", "cpu")
        return func(*args, **kwargs)


class SmallTables(TorchFunctionMode):
    """Refuses what is computed of two tensors that would be far larger than either: a trap in a small file's shapes."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [each for each in args if isinstance(each, Tensor)]
        if len(given) == 2:
            sides = zip_longest(*(reversed(each.shape) for each in given), fillvalue=1)
            if prod(max(pair) for pair in sides) > LARGEST + max(each.numel() for each in given):
                raise ValueError(f"it would compute a table of more than {LARGEST:,} numbers")
        return func(*args, **(kwargs or {}))


@contextmanager
def _at_most(numbers: int) -> Iterator[None]:
    """Within, modules that get more parameters than that are not built."""
    count = 0

    def counted(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal count
        count += 0 if parameter is None else parameter.numel()
        if count > numbers:
            raise ValueError(f"its network would have more than {numbers:,} numbers")

    hook: Any = register_module_parameter_registration_hook(counted)
    try:
        yield
    finally:
        hook.remove()


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__} {' '.join(str(error).split())[:200]}"
