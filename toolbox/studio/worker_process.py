"""The process that computes: `python -m toolbox.studio.worker_process DEVICE PLUGIN…`, with orders on its input."""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from toolbox.io.errors import UserError
from toolbox.studio.messages import packed, read

if TYPE_CHECKING:
    from toolbox.inference.predictor import Predictor
    from toolbox.inference.video.progress import Progress

LOADED = 3
"""Networks that are kept loaded, with what was chosen for them."""
OFTEN = 0.1
"""Seconds between two messages about progress."""


class _Stop(Exception):
    """The order was stopped."""


class Bench:
    """Where orders are done: networks that are loaded, and the pipe to tell by."""

    def __init__(self, device: str, out: BinaryIO) -> None:
        self.asked, self.out = device, out
        self.loaded: OrderedDict[str, Predictor] = OrderedDict()
        self.stopped: set[str] = set()
        self.current = ""
        self.ways = {"describe": self.describe, "translate": self.translate, "film": self.film}

    def tell(self, event: str, **more: Any) -> None:
        """Send a message about the order that is being done."""
        self.out.write(packed({"id": self.current, "event": event, **more}))
        self.out.flush()

    def do(self, order: dict[str, Any]) -> None:
        """Do an order and tell how it ended."""
        self.current = order["id"]
        try:
            if self.current in self.stopped:
                raise _Stop
            self.tell("done", **self.ways[order["kind"]](order))
        except _Stop:
            self.tell("stopped")
        except (UserError, OSError, RuntimeError, ValueError, MemoryError, LookupError, TypeError) as error:
            from toolbox.inference.files import reason_of

            self.tell("failed", problem=str(error) if isinstance(error, UserError) else reason_of(error))
        self.stopped.discard(self.current)

    # ------------------------------------------------------------------ networks

    def load(self, order: dict[str, Any]) -> Predictor:
        """Load the network of an order, with what it chooses."""
        from toolbox.inference.loading import load
        from toolbox.inference.options import Options

        self.tell("loading")
        named = {} if order.get("config") is None else {"config": _config(order["config"])}
        return load(
            order.get("weights"), checkpoint=order.get("checkpoint"), output=order.get("output"),
            chosen=order.get("chosen") or {}, device=self.device(), options=Options(**order.get("options", {})),
            note=self.note, **named,
        )  # fmt: skip

    def predictor(self, order: dict[str, Any]) -> Predictor:
        """The network of an order, which may be loaded already."""
        chosen = order.get("chosen") or {}
        files = [order.get("weights"), order.get("checkpoint"), chosen.get("style")]
        times = [Path(each).stat().st_mtime_ns for each in files if each and Path(each).is_file()]
        wanted = {name: order.get(name) for name in ("weights", "config", "checkpoint", "output", "options")}
        key = repr((wanted, chosen, times))
        if key not in self.loaded:
            self.loaded[key] = self.load(order)
            while len(self.loaded) > LOADED:
                self.loaded.popitem(last=False)
        self.loaded.move_to_end(key)
        return self.loaded[key]

    def device(self) -> Any:
        """The device that was asked for, or a GPU if there is one."""
        import torch

        from toolbox.assembly.loading import usable_device

        return usable_device(self.asked or ("cuda" if torch.cuda.is_available() else "cpu"))

    def note(self, line: str) -> None:
        """Pass on what a user should know of the picture that is being made."""
        self.tell("note", line=line)

    # ------------------------------------------------------------------ orders

    def describe(self, order: dict[str, Any]) -> dict[str, Any]:
        """A network's scale, and what can be chosen of it."""
        network: Any = self.predictor({**order, "chosen": {}, "options": {}}).network
        conditions = []
        if hasattr(network, "algorithm"):
            for each in network.algorithm.outputs[network.output].conditions:
                labels = [*map(str, range(each.labels))] if isinstance(each.labels, int) else [*each.labels]
                made = {"name": each.name, "kind": each.kind, "labels": labels, "low": each.low, "high": each.high}
                conditions.append({**made, "default": each.default})
        return {"scale": int(getattr(network, "scale", 1)), "conditions": conditions}

    def translate(self, order: dict[str, Any]) -> dict[str, Any]:
        """One picture file through a network, by the way that `infer` takes."""
        from toolbox.inference.files import translate
        from toolbox.inference.header import read_header
        from toolbox.inference.planning import Job
        from toolbox.studio.shown import needs_preview, write_preview

        source, target, begun = Path(order["source"]), Path(order["target"]), time.perf_counter()
        header = read_header(source, max_pixels=order["max_pixels"])
        predictor = self.predictor(order)
        predictor.server.plan(header.width * header.height * header.frames * predictor.channels)
        loaded, progress = time.perf_counter(), self.progress()
        for _, problem in translate(
            predictor, [Job(source, target, header)], quality=order["quality"], max_pixels=order["max_pixels"],
            done=progress,
        ):  # fmt: skip
            if problem:
                raise UserError(problem)
        seconds = time.perf_counter() - loaded
        previews = {}
        for name, file in (("source", source), ("target", target)):
            if needs_preview(file):
                previews[name] = str(write_preview(file, Path(order[f"{name}_preview"])))
        made = read_header(target)
        sizes = {"width": made.width, "height": made.height, "scale": predictor.scale, "tile": predictor.tile}
        return {**sizes, "seconds": seconds, "loading": loaded - begun, "previews": previews}

    def film(self, order: dict[str, Any]) -> dict[str, Any]:
        """One film through a network, by the way that `infer` takes."""
        from toolbox.studio.film_work import translate_film

        begun = time.perf_counter()
        predictor = self.load(order)  # for it alone: tiles are fixed at a film's first frame
        loading, progress = time.perf_counter() - begun, self.progress()

        def frame(each: Progress) -> None:
            progress(each.part, said=each.described())

        return {**translate_film(predictor, order, self.note, frame, self.go_on), "loading": loading}

    def go_on(self) -> None:
        """End what was stopped."""
        if self.current in self.stopped:
            raise _Stop

    def progress(self) -> Callable[..., None]:
        """What hears of each tile or frame: it tells, not too often, and stops what was stopped."""
        last = 0.0

        def tell(part: float, **more: Any) -> None:
            nonlocal last
            self.go_on()
            now = time.monotonic()
            if now - last > OFTEN or part >= 1:
                last = now
                self.tell("progress", part=part, **more)

        return tell


def _config(path: str) -> Any:
    from toolbox.assembly.check import check
    from toolbox.config import find_config, load_config

    config = load_config(find_config(path), {})
    check(config)
    return config


def main() -> int:
    """Do orders until the studio, or its pipe, is gone."""
    from toolbox.engine.memory import APPLYING, bound_kernels, keep_freed_memory
    from toolbox.plugins.manager import PluginManager, use
    from toolbox.studio.worker import alone, be_first_to_go

    be_first_to_go()
    alone()
    device, *plugins = sys.argv[1:]
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no message
    bench, orders = Bench(device, out), queue.Queue[dict[str, Any]]()
    threading.Thread(target=_listen, args=(bench, orders), daemon=True).start()
    use(PluginManager(plugins))
    keep_freed_memory()
    bound_kernels(APPLYING)
    with suppress(ImportError):
        import toolbox.inference.loading  # noqa: F401 (torch is there when the first order comes)
    while True:
        bench.do(orders.get())


def _listen(bench: Bench, orders: queue.Queue[dict[str, Any]]) -> None:
    """Hear orders, and stops between the tiles of the one that is being done; at the pipe's end, end."""
    while message := read(sys.stdin.buffer):
        if message.get("kind") == "stop":
            bench.stopped.add(message["id"])
        else:
            orders.put(message)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
