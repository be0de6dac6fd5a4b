"""What the importer asks of a checkpoint format: one published way to name the weights of one network."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from toolbox.io.errors import UserError

if TYPE_CHECKING:
    from toolbox.contracts.ncnn_graph import NcnnGraph

State = dict[str, Tensor]


class CheckpointFormat(ABC):
    """Recognises the files of one layout by their keys, says which network they hold, and translates their keys.

    It is built without arguments. By the time it sees a state dict the importer has unwrapped the file
    (`params_ema`, `state_dict`, ...), taken prefixes off (`module.`, `generator.`, ...), folded spectral norm and cast
    half precision to float32. It compares keys and shapes with the built network's afterwards, so a format need not
    be strict about what only a damaged file would have; it must be strict about what belongs to another network.
    """

    kind: ClassVar[str] = "generators"
    """Which kind the network is of: `generators`, or `discriminators`, with which training may begin."""
    network: ClassVar[str]
    """The registered network that such a file holds."""
    layout: ClassVar[str]
    """Whose layout it is, as `export --layout` names it: `basicsr`."""
    needs: ClassVar[tuple[str, ...]]
    """Keys that every file of this layout has, and together no other; messages about unknown files compare them."""
    wrapper: ClassVar[str | None] = None
    """The key under which published .pth files of this layout keep their state dict; None where they are bare."""

    packages: ClassVar[Sequence[str]] = ()
    """Packages that it stands on; where one is not installed, no file is of this layout."""
    extra: ClassVar[str] = ""
    """The toolbox's extra, or the distribution, that installs them."""
    fallback: ClassVar[bool] = False
    """Whether it is asked only about files that no other format recognises."""

    def matches(self, keys: Collection[str]) -> bool:
        """Whether a state dict of these keys is of this layout; by default, whether it has all that it `needs`."""
        return set(self.needs) <= set(keys)

    def choose(self, state: Mapping[str, Tensor], output: str | None) -> State:
        """The part of a matching state dict that is one network's, where a file has networks for several outputs.

        A file that keeps several state dicts side by side, `{"a": ..., "b": ...}`, comes as one, with keys `a....` and
        `b....`; `arguments` and `convert` get what is chosen here. `output` is None where the user named none.

        Raises:
            UserError: the file does not give this output; the message begins with what it gives instead.
        """
        if output is not None:
            raise UserError("holds one network, which has one output")
        return dict(state)

    @abstractmethod
    def arguments(self, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """The network's constructor arguments (blocks, width, scale, ...), from the shapes of a matching state dict.

        Raises:
            UserError: the network cannot hold this one of the layout's files.
        """

    @abstractmethod
    def convert(self, state: Mapping[str, Tensor]) -> State:
        """The same tensors under the network's own keys."""

    def of_slot(self, state: Mapping[str, Tensor], slot: str) -> State | None:
        """What a slot of an algorithm, `encoder_a`, begins with where `load_from` names the file, under its own keys.

        For files that hold more than one network; `state` is all of the file. None: what `convert` gives.
        """
        return None

    @abstractmethod
    def restore(self, state: Mapping[str, Tensor]) -> State:
        """The opposite of `convert`: the network's own state dict under the layout's keys."""

    def from_ncnn(self, graph: NcnnGraph) -> State | None:
        """The state dict, in this layout, of an ncnn graph that computes what the network does; None for any other."""
        return None


def renamed(state: Mapping[str, Tensor], patterns: Collection[tuple[str, str]]) -> State:
    """A state dict whose keys are rewritten: of (regular expression, replacement), the first that fits a key's start.

    Keys that no pattern fits stay as they are.
    """
    result = {}
    for key, value in state.items():
        for pattern, replacement in patterns:
            new, fits = re.subn(f"^{pattern}", replacement, key, count=1)
            if fits:
                key = new
                break
        result[key] = value
    return result


def count(keys: Collection[str], pattern: str, *, start: int = 0) -> int:
    """How many numbers from `start` on, without a gap, stand in the group of `pattern`, matched at the keys' start.

    Counting instead of taking the largest number keeps a damaged file from asking for a million blocks.
    """
    found = {match.group(1) for key in keys if (match := re.match(pattern, key))}
    number = start
    while str(number) in found:
        number += 1
    return number - start


def shape(state: Mapping[str, Tensor], key: str, dimensions: int = 4) -> tuple[int, ...]:
    """The shape of one tensor that the arguments are read from.

    Raises:
        UserError: it is missing, or has another number of dimensions.
    """
    if key not in state:
        raise UserError(f"it has no '{key}'")
    found = tuple(state[key].shape)
    if len(found) != dimensions:
        raise UserError(f"'{key}' has shape {found}, where {dimensions} dimensions are wanted")
    return found


def root(number: int, factor: int, key: str) -> int:
    """The whole number r with factor * r * r = `number`: the scale of a pixel shuffle with `factor` channels.

    Raises:
        UserError: there is none.
    """
    found = round((number / factor) ** 0.5) if factor else 0
    if factor * found**2 != number or not found:
        raise UserError(f"'{key}' has {number} channels, which is no square times {factor}")
    return found
