"""Where runs are made: in processes of this machine, or of a Ray cluster; the same runs, keys and results."""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from toolbox.benchmark.launch import Outcome, launch
from toolbox.benchmark.plan import Run
from toolbox.io.errors import UserError


class Engine(Protocol):
    """Makes runs, several at once."""

    slots: int
    """How many at once."""

    def submit(self, run: Run, *, probe: bool = False) -> Future[Outcome]:
        """Queue a run."""
        ...

    def stop(self) -> None:
        """Ask all runs to save themselves and stop."""
        ...

    def close(self) -> None:
        """No runs will come any more."""
        ...


class LocalEngine:
    """Processes of this machine, `slots` at once; with `gpus`, each slot has one of them to itself."""

    def __init__(self, slots: int, gpus: Sequence[str] = ()) -> None:
        self.slots = slots
        self.free: queue.SimpleQueue[Mapping[str, str]] = queue.SimpleQueue()
        for slot in range(slots):
            self.free.put({"CUDA_VISIBLE_DEVICES": gpus[slot % len(gpus)]} if gpus else {})
        self.pool = ThreadPoolExecutor(slots)
        self.stopping = threading.Event()

    def submit(self, run: Run, *, probe: bool = False) -> Future[Outcome]:
        """Queue a run."""
        return self.pool.submit(self._launch, run, probe)

    def _launch(self, run: Run, probe: bool) -> Outcome:
        if self.stopping.is_set():
            return Outcome("stopped")
        environment = self.free.get()
        try:
            minutes = run.limits.get("minutes")
            return launch(run.place, threads=run.threads, minutes=minutes, probe=probe, environment=environment,
                          stop=self.stopping.is_set)  # fmt: skip
        finally:
            self.free.put(environment)

    def stop(self) -> None:
        """Ask all runs to save themselves and stop; those that wait do not start."""
        self.stopping.set()

    def close(self) -> None:
        """Wait for what runs."""
        self.pool.shutdown(wait=True, cancel_futures=True)


class RayEngine:
    """Tasks of a Ray cluster: the one that RAY_ADDRESS names, or else one of this machine, made here.

    Every machine must see the benchmark's folder and the data under the same paths, and have the same environment.
    """

    def __init__(self, slots: int, threads: int, gpus_per_run: float = 0) -> None:
        try:
            import ray
        except ImportError as error:
            raise UserError("--engine ray: needs Ray; pip install 'gan-toolbox[ray]'") from error
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        self.ray, self.slots = ray, slots
        self.here = not ray.is_initialized()
        if self.here:
            existing = os.environ.get("RAY_ADDRESS")
            own = {"address": "local", "num_cpus": slots * threads, "include_dashboard": False}
            cluster: dict[str, Any] = {"address": existing} if existing else own
            try:
                ray.init(**cluster, log_to_driver=False, logging_level=logging.ERROR)
            except (ConnectionError, RuntimeError, ValueError) as error:
                reason = (str(error.__cause__ or error).strip().splitlines() or ["?"])[-1][:300]
                raise UserError(f"RAY_ADDRESS={existing}: cannot be joined: {reason}") from None
        if os.environ.get("RAY_ADDRESS"):
            self.slots = max(1, int(ray.cluster_resources().get("CPU", slots) // threads))
        self.task = ray.remote(num_cpus=threads, num_gpus=gpus_per_run, max_retries=0)(_on_ray)
        self.tasks: list[Any] = []

    def submit(self, run: Run, *, probe: bool = False) -> Future[Outcome]:
        """Queue a run; its process is started where Ray has room."""
        place = str(run.place.resolve())
        reference = self.task.remote(place, run.threads, run.limits.get("minutes"), probe, os.getcwd())
        self.tasks.append(reference)
        return reference.future()

    def stop(self) -> None:
        """Cancel all tasks: their processes end with them, and continue from their last checkpoint."""
        for reference in self.tasks:
            self.ray.cancel(reference, force=True)

    def close(self) -> None:
        """Leave the cluster; one that was made here ends."""
        if self.here:
            self.ray.shutdown()


def _on_ray(folder: str, threads: int, minutes: float | None, probe: bool, cwd: str) -> Outcome:
    os.chdir(cwd)
    return launch(Path(folder), threads=threads, minutes=minutes, probe=probe)
