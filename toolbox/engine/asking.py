"""Which outputs an evaluation makes: those that somebody looks at, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook


class AskingHook(Hook):
    """Before each batch of an evaluation, tells the algorithm which images of its samples are looked at.

    Metrics say it, and hooks that see samples (`after_val_iter`, `after_test_iter`): by `needed()`, a method that gives
    names. What does not say it may look at anything: then every output is made, as it is where `needed` gives None.
    """

    def __init__(self) -> None:
        self.viewers: Sequence[Any] = ()

    def before_val_epoch(self, runner: Any) -> None:
        """See who looks on."""
        self.viewers = _viewers(runner, runner.val_evaluator, "after_val_iter")

    def before_val_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Ask for what they name."""
        runner.algorithm.asked = names_of(self.viewers)

    def after_val_epoch(self, runner: Any, metrics: Any = None) -> None:
        """Whoever evaluates from here on sees everything."""
        runner.algorithm.asked = None

    def before_test_epoch(self, runner: Any) -> None:
        """As in validation."""
        self.viewers = _viewers(runner, runner.test_evaluator, "after_test_iter")

    before_test_iter, after_test_epoch = before_val_iter, after_val_epoch


def names_of(viewers: Sequence[Any]) -> frozenset[str] | None:
    """The names that they look at, all together; None where one may look at anything."""
    names: set[str] = set()
    for viewer in viewers:
        needed = viewer.needed() if hasattr(viewer, "needed") else None
        if needed is None:
            return None
        names.update(needed)
    return frozenset(names)


def _viewers(runner: Any, evaluator: Any, point: str) -> list[Any]:
    return [*evaluator.metrics, *(hook for hook in runner.hooks if point in hook.get_triggered_stages())]
