"""How much memory tensors hold at once, counted storage by storage on any device."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveMemory(TorchDispatchMode):
    """Within, `peak` is the most bytes that the results of operations held at one time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.storages: dict[int, Any] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {id(each.untyped_storage()) for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)}
        result = func(*args, **(kwargs or {}))
        for each in tree_leaves(result):
            if isinstance(each, torch.Tensor):
                storage = each.untyped_storage()
                if id(storage) not in given and id(storage) not in self.storages:
                    self.follow(storage)
        return result

    def follow(self, storage: torch.UntypedStorage) -> None:
        """Count a storage until it is freed."""
        size, place = storage.nbytes(), id(storage)

        def gone(_: Any) -> None:
            self.now -= size
            self.storages.pop(place)

        self.storages[place] = weakref.ref(storage, gone)
        self.now += size
        self.peak = max(self.peak, self.now)


def peak_of(action: Callable[[], Any]) -> int:
    """The most bytes that an action holds at one time, beyond what was there."""
    with LiveMemory() as memory:
        action()
    return memory.peak
