"""The training loop: iterations, validation at intervals and at the end of each phase, exact data order on resume."""

from __future__ import annotations

from typing import Any

from mmengine.runner import BaseLoop
from torch.utils.data import DataLoader

from toolbox.engine.data import Positions
from toolbox.engine.distributed import average_buffers
from toolbox.engine.random_state import restore_random_state, undisturbed
from toolbox.engine.schedule_free import averaged_weights


class TrainLoop(BaseLoop):
    """Runs `max_iters` iterations; validates every `val_interval`, at each phase's end and after the last one.

    With `stop_at` it stops after that many, saved and validated; schedules and phases remain those of the whole, and a
    resumed run continues as if it had not stopped.
    """

    def __init__(
        self,
        runner: Any,
        dataloader: DataLoader,
        max_iters: int,
        val_interval: int = 1000,
        val_begin: int = 1,
        stop_at: int | None = None,
    ) -> None:
        super().__init__(runner, dataloader)
        self.max_iters, self.val_interval, self.val_begin = max_iters, val_interval, val_begin
        self.last = max_iters if stop_at is None else min(stop_at, max_iters)
        self.max_epochs = 1
        self._epoch, self._iter = 0, 0  # mmengine's Runner sets them on resume
        self.stop_training = False
        self.stopped_because: str | None = None
        """Why a hook ended the run early, in words."""
        self.owes_validation = False
        """Whether a hook wants to know what is measured before the first step; it may set this in `before_train`."""
        self.resumed_random_state: dict[str, Any] | None = None

    @property
    def epoch(self) -> int:
        """mmengine asks; an iteration loop has one endless epoch."""
        return self._epoch

    @property
    def iter(self) -> int:
        """Iterations done."""
        return self._iter

    def run(self) -> Any:
        """Train, from wherever a resumed checkpoint left off."""
        runner = self.runner
        runner.call_hook("before_train")
        runner.call_hook("before_train_epoch")
        sampler = self.dataloader.sampler
        assert isinstance(sampler, Positions)  # built by engine.data
        sampler.start = self._iter * (self.dataloader.batch_size or 1)
        batches = iter(self.dataloader) if self._iter < self.last else iter(())
        if self.resumed_random_state is not None:  # only now: starting the workers draws random numbers
            restore_random_state(self.resumed_random_state)
        if self._iter == self.last or self.owes_validation:  # it was stopped between its checkpoint and its validation
            self.validate()
        runner.model.train()
        while self._iter < self.last and not self.stop_training:
            batch = next(batches)
            self.run_iter(batch)
            if self.validates_after(self._iter):
                self.validate()
                self.show(batch)
                runner.model.train()
        runner.call_hook("after_train_epoch")
        runner.call_hook("after_train")
        return runner.model

    def validates_after(self, done: int) -> bool:
        """Whether a validation comes after `done` iterations."""
        due = done % self.val_interval == 0 and done >= self.val_begin
        return due or done == self.last or any(done == each.until for each in self.runner.algorithm.parts.phases)

    def validate(self) -> None:
        """Measure, if there is anything to measure on; the training's random numbers go on as if it had not."""
        if self.runner._val_loop is not None:
            average_buffers(self.runner.algorithm)
            with undisturbed(), averaged_weights(self.runner.optim_wrapper):
                self.runner.val_loop.run()

    def show(self, batch: Any) -> None:
        """Where there is nothing to measure on, hooks may show what becomes of a batch of the training."""
        if self.runner._val_loop is None:
            with undisturbed(), averaged_weights(self.runner.optim_wrapper):
                self.runner.model.eval()
                self.runner.call_hook("instead_of_val", data_batch=batch)

    def run_iter(self, batch: Any) -> None:
        """One iteration on one batch."""
        self.runner.call_hook("before_train_iter", batch_idx=self._iter, data_batch=batch)
        logs = self.runner.model.train_step(batch, optim_wrapper=self.runner.optim_wrapper)
        self.runner.call_hook("after_train_iter", batch_idx=self._iter, data_batch=batch, outputs=logs)
        self._iter += 1
