"""The layouts of all files that spandrel recognises, for those of which no format of the toolbox's own is."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor, nn

from toolbox import CheckpointFormat, State, UserError
from toolbox.contracts.graph import missing

from .library import EXTRA, PACKAGES, Architecture, described, detected, loaded, outlined

PREFIX = "network."


class Spandrel(CheckpointFormat):
    """Whatever spandrel's main registry knows; asked after all other formats."""

    network = "SpandrelNetwork"
    layout = "spandrel"
    needs = ()
    packages = PACKAGES
    extra = EXTRA
    fallback = True

    def matches(self, keys: Collection[str]) -> bool:
        """Whether one of spandrel's architectures does; none where it is not installed."""
        return not missing(PACKAGES, EXTRA) and detected(keys) is not None

    def arguments(self, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """As spandrel finds them, without memory for the network."""
        return described(*outline(state))

    def convert(self, state: Mapping[str, Tensor]) -> State:
        """Under the keys of spandrel's module, which differ from the file's where it rewrites an older layout."""
        found, network = outline(state)
        own = network.state_dict()
        tensors = state if own.keys() == state.keys() else loaded(found, state).model.state_dict()
        return {f"{PREFIX}{key}": value for key, value in tensors.items()}

    def restore(self, state: Mapping[str, Tensor]) -> State:
        """spandrel's own keys."""
        return {key.removeprefix(PREFIX): value for key, value in state.items()}


def outline(state: Mapping[str, Tensor]) -> tuple[Architecture, nn.Module]:
    """The architecture of a state dict and its network without memory. Raises UserError where there is none."""
    found = detected(state)
    if found is None:
        raise UserError("spandrel knows no network of these keys")
    with outlined():
        return found, loaded(found, state).model
