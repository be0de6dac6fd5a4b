"""The base of all sentinels: when they look, how they leave the run as it was, and when they speak."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar

import torch
from mmengine.dist import all_reduce, is_distributed
from mmengine.hooks import Hook
from torch import Tensor

from toolbox import Algorithm, UserError, did_you_mean
from toolbox.engine.random_state import undisturbed
from toolbox.training.network_call import uncompiled


class Sentinel(Hook, ABC):
    """Every `interval` iterations measures one scalar of what the networks make of the training batch.

    The scalar is logged as `sentinel/<quantity>`, with the losses: in the log's lines, TensorBoard and scalars.json.
    Beyond `threshold` a warning says what goes wrong and what to try: once, and again only after it was well in
    between. Networks predict as in validation (averages, eval mode, no gradient; missing inputs degraded as there),
    and the run goes on bit for bit as it would have without. With several processes it is the mean over their batches.
    """

    priority = "NORMAL"  # before the logger's
    quantity: ClassVar[str]
    """Name of the scalar."""

    def __init__(self, *, output: str | None, interval: int, threshold: float) -> None:
        if interval < 1:
            raise ValueError(f"interval must be at least 1, got {interval}")
        self.output, self.interval, self.threshold = output, interval, threshold
        self.name = f"sentinel/{self.quantity}"
        self.alarmed = False

    @abstractmethod
    def measure(self, algorithm: Algorithm, batch: Mapping[str, Any]) -> Tensor:
        """The scalar, from a batch of the train loader; networks are in eval mode and record no gradient."""

    @abstractmethod
    def complaint(self, value: float) -> str | None:
        """What is wrong and what to try, in plain words; None where nothing is."""

    def before_train(self, runner: Any) -> None:
        """Find the output to watch; one that is not the first gives the scalar's name an ending of its own."""
        self.output = self.known(runner.algorithm, self.output)
        if self.output != next(iter(runner.algorithm.outputs)):
            self.name = f"sentinel/{self.quantity}/{self.output}"

    def known(self, algorithm: Algorithm, output: str | None, number: int = 0) -> str:
        """The output that was named, or else the algorithm's own of this number."""
        known = list(algorithm.outputs)
        if output is None and number < len(known):
            return known[number]
        if output is None or output not in known:
            problem = f"no output '{output}'{did_you_mean(output, known)}" if output else f"one output, {known[0]}"
            raise UserError(f"{type(self).__name__}: {type(algorithm).__name__} has {problem}")
        return output

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Measure, log and warn when due; every rank does, so that none waits for another."""
        if (batch_idx + 1) % self.interval:
            return
        with in_evaluation(runner.algorithm):
            value = self.measure(runner.algorithm, data_batch).float()
        if is_distributed():
            all_reduce(value, "mean")
        if outputs is not None:
            outputs[self.name] = value
        problem = self.complaint(value.item())
        if problem and not self.alarmed and runner.rank == 0:
            runner.logger.warning("iteration %d: %s", batch_idx + 1, problem)
        if self.alarmed and not problem:
            runner.logger.info("iteration %d: %s is well again (%.3g)", batch_idx + 1, self.name, value)
        self.alarmed = problem is not None

    def seen(self, algorithm: Algorithm, batch: Mapping[str, Any], output: str) -> tuple[Tensor, Tensor]:
        """The images that an output is made from, and what is made of them, each (B, C, H, W) in [0, 1]."""
        values = self.values(algorithm, batch)
        source = self.source(algorithm, values, output)
        return source, predicted(algorithm, values, source, output)

    def values(self, algorithm: Algorithm, batch: Mapping[str, Any]) -> dict[str, Any]:
        """A batch's images by name, degraded as in validation: that draws none of the run's random numbers."""
        preprocessor: Any = algorithm.data_preprocessor
        return preprocessor(batch, False)

    def source(self, algorithm: Algorithm, values: Mapping[str, Any], output: str) -> Tensor:
        """The images that an output is made from."""
        name = algorithm.outputs[output].source
        if name not in values:
            raise UserError(f"{type(self).__name__}: '{output}' is made from '{name}', which training does not have")
        return values[name]


def predicted(algorithm: Algorithm, values: Mapping[str, Any], images: Tensor, output: str) -> Tensor:
    """An output of images (B, C, H, W), in the style that training shows where styles can be chosen."""
    return algorithm.predict_from({**values, algorithm.outputs[output].source: images}, output)


@contextmanager
def in_evaluation(algorithm: Algorithm) -> Iterator[None]:
    """Networks as prediction has them; afterwards every module's mode and all random numbers are those of before.

    Spectral norm's vectors and batch norm's statistics move in training mode alone.
    """
    modes = [(module, module.training) for module in algorithm.modules()]
    with ExitStack() as stack:
        stack.enter_context(undisturbed())
        stack.enter_context(torch.no_grad())
        for slot in algorithm.networks:
            stack.enter_context(uncompiled(algorithm.averaged_network(slot)))
        algorithm.eval()
        try:
            yield
        finally:
            for module, training in modes:
                module.training = training
