"""What the ranks measured comes to rank 0 through the process group: nodes need no folder that all of them see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, zip_longest
from typing import Any

import mmengine.evaluator.metric
from mmengine.evaluator import Evaluator
from torch import distributed

_ABSENT = object()


class GatheringEvaluator(Evaluator):
    """mmengine's evaluator, with metrics of any kind gathered by `collect_results` below."""

    def evaluate(self, size: int) -> dict[str, Any]:
        """Compute the metrics over the results of all ranks, of an evaluation of `size` samples."""
        with _our_collecting():
            return super().evaluate(size)


def collect_results(results: list[Any], size: int, *_: Any, **__: Any) -> list[Any] | None:
    """The results of all ranks on rank 0, in the order of the samples; None on the others.

    mmengine's own writes them below the working directory of each rank and reads them on rank 0, which wants one
    folder for all nodes. They are pickled, as every object that ranks exchange: they never leave the run's group.
    """
    if not distributed.is_initialized() or distributed.get_world_size() == 1:
        return results[:size]
    rank, group = distributed.get_rank(), _group_on_cpu()
    parts: list[Any] | None = [None] * distributed.get_world_size() if rank == 0 else None
    distributed.gather_object(results, parts, dst=0, group=group)
    if parts is None:
        return None
    # the samples were dealt out in turns, and a loader may have repeated some at the end
    dealt = chain.from_iterable(zip_longest(*parts, fillvalue=_ABSENT))
    return [result for result in dealt if result is not _ABSENT][:size]


def _group_on_cpu() -> Any:
    """The run's own group where it exchanges what lies in main memory, or else one beside it, made once."""
    own = distributed.group.WORLD
    assert own is not None
    if distributed.get_backend(own) == "gloo":
        return own
    if not _beside or _beside[0] is not own:
        _beside[:] = [own, distributed.new_group(backend="gloo")]
    return _beside[1]


_beside: list[Any] = []
"""The run's group, and the gloo group made beside it."""


@contextmanager
def _our_collecting() -> Iterator[None]:
    module = mmengine.evaluator.metric
    theirs, module.collect_results = module.collect_results, collect_results
    try:
        yield
    finally:
        module.collect_results = theirs
