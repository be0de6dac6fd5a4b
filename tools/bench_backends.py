"""Pictures through `infer`'s own way with `--backend auto`, in turn with every runtime alone on the same tiles.

*Settled*: a predictor that has chosen makes one picture of 8 bits after the other, from pixels to pixels; a runtime
alone gets the same tiles as floats that suit it, and what it makes is thrown away; *plainly* it is given a picture and
gives one, by a few lines of NumPy, where the picture is one tile. With one thread times are the
processor's, which other programs on the same core do not lengthen. *Begun*: a new predictor makes one
picture, its graph and what is the fastest known from an earlier run, against a new predictor of each backend.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from toolbox import RecurrentGenerator, WindowGenerator
from toolbox.assembly.loading import trained_network
from toolbox.contracts.graph import missing, smooth
from toolbox.engine.memory import APPLYING, bound_kernels, keep_freed_memory
from toolbox.inference import Options, Predictor
from toolbox.inference.options import PRECISIONS
from toolbox.inference.sessions import Sessions
from toolbox.io.errors import UserError
from toolbox.plugins.registry import registry
from toolbox.training.precision import networks_in

FEWER: dict[str, dict[str, Any]] = {
    "DAT": {"width": 60, "depths": [2], "heads": [2], "window": [8, 16]},
    "EDSR": {"blocks": 4},
    "MUNITGenerator": {"width": 32, "blocks": 2},
    "RCAN": {"groups": 1, "blocks": 4},
    "RRDBNet": {"blocks": 1},
    "RealPLKSR": {"blocks": 2},
    "ResnetGenerator": {"width": 32, "blocks": 3},
    "SRResNet": {"blocks": 4},
    "SRResNetBN": {"blocks": 4},
    "StyleRRDBNet": {"blocks": 1},
    "UNITGenerator": {"width": 32},
    "UVCGANGenerator": {"widths": [16, 32, 64], "features": 64, "heads": 4, "blocks": 2, "hidden": 128},
    "UnetGenerator": {"width": 32},
}
"""Networks of the published width with fewer blocks: a call of one thread takes a second or so."""
SHIPPED: dict[str, dict[str, Any]] = {
    "enlarge-x4": {}, "palette-x4": {"strength": 1.0}, "painter-x4": {"style": "van-gogh"}, "restore-x4": {},
}  # fmt: skip
OTHERS = ("onnxruntime", "openvino")
LEFT_OUT = ("PointGenerator", "SpandrelNetwork")
WORK = 10**12
"""Numbers that are announced: enough for every runtime to be tried."""


def names() -> list[str]:
    """Every built-in generator of pictures, then the models that come with the toolbox."""
    every = registry("generators")
    clips = (RecurrentGenerator, WindowGenerator)
    found = [name for name in every.names() if name not in LEFT_OUT and not issubclass(every.get(name), clips)]
    return [*found, *SHIPPED]


def network_of(name: str) -> nn.Module:
    """A built-in generator with weights as it begins, or a model that comes with the toolbox."""
    torch.manual_seed(0)
    if name in SHIPPED:
        return trained_network(name, chosen=SHIPPED[name])
    kind: Any = registry("generators").get(name)
    arguments = FEWER.get(name) or (kind.example_arguments() if hasattr(kind, "example_arguments") else {})
    return kind(**arguments).eval()


def picture_of(side: int) -> np.ndarray:
    """A picture (side, side, 3) of 8 bits."""
    made = smooth((1, 3, side, side), torch.Generator().manual_seed(0))[0]
    return (made * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()


def main(wanted: Sequence[str], sides: Sequence[int], precisions: Sequence[str], rounds: int, begun: bool) -> None:
    """Print a line for every network, side and precision."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    keep_freed_memory()
    bound_kernels(APPLYING)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TOOLBOX_CACHE"] = cache
        heads = ("pixels", "precision", "torch, ms", *OTHERS, "chosen", "auto of the fastest", "plainly")
        print("| network | " + " | ".join(heads) + " |")
        print("|---|---:|---|---:|---:|---:|---|---:|---:|", flush=True)
        for name in wanted or names():
            for precision in precisions:
                for side in sides:
                    try:
                        print(line(name, side, precision, rounds, begun), flush=True)
                    except UserError as error:
                        print(f"| `{name}` | {side}² | {precision} | {error} |", flush=True)


def line(name: str, side: int, precision: str, rounds: int, begun: bool) -> str:
    """One row: torch's time, how many times as fast others are, and auto's part of what the fastest alone gives."""
    network, picture = network_of(name), picture_of(side)
    auto = started(network, "auto", precision)
    auto.server.plan(WORK)
    auto(picture)
    chosen = auto.server.fix()
    calls, tiles = alone(network, picture, precision)
    plain_tiles = [each.contiguous() for each in tiles]
    ways: dict[str, Callable[[], object]] = {
        each: partial(_every, call, tiles if each == "torch" else plain_tiles) for each, call in calls.items()
    }
    if not begun and len(tiles) == 1:
        ways |= {f"{each}, plainly": partial(_plainly, call, picture) for each, call in calls.items()}
    if begun:
        ways = {each: lambda each=each: started(network, each, precision)(picture) for each in ways}
        ways["auto"] = lambda: started(network, "auto", precision)(picture)
    else:
        ways["auto"] = lambda: auto(picture)
    times: dict[str, list[float]] = {each: [] for each in ways}
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    for number in range(rounds + 1):
        for each, call in ways.items():
            start = clock()
            call()
            if number:  # the first warms
                times[each].append(clock() - start)
    rivals = {each: statistics.median(times[each]) for each in calls}
    best = min(rivals, key=lambda each: rivals[each])

    def part_of(way: str) -> str:
        part = statistics.median(a / b for a, b in zip(times[way], times["auto"], strict=True))
        return f"{part:.2f} ({min(times[way]) / min(times['auto']):.2f})"

    plain = min((each for each in times if each.endswith("plainly")), key=lambda each: sum(times[each]), default="")
    ratios = [
        f"{rivals['torch'] / rivals[each]:.2f}×" if each in rivals else "–" for each in ("onnxruntime", "openvino")
    ]
    torch_ms = f"{1000 * rivals['torch']:.0f}"
    told = [
        chosen if chosen == best else f"{chosen}, {best} is faster",
        part_of(best),
        part_of(plain) if plain else "–",
    ]
    return f"| `{name}` | {side}² | {precision} | " + " | ".join([torch_ms, *ratios, *told]) + " |"


def started(network: nn.Module, backend: str, precision: str) -> Predictor:
    """A new predictor, told of one picture."""
    return Predictor(network, options=Options(precision=precision, backend=backend), note=lambda said: None)


def alone(
    network: nn.Module, picture: np.ndarray, precision: str
) -> tuple[dict[str, Callable[[Tensor], Tensor]], list[Tensor]]:
    """By the name of each backend that computes this: the call of a tile; and a picture's tiles, as torch gets them."""
    seen: list[Tensor] = []
    watched = Predictor(network, options=Options(precision=precision, backend="torch"), note=lambda said: None)
    compute = watched.server._compute  # pyright: ignore[reportPrivateUsage]

    def watch(images: Tensor) -> Tensor:
        seen.append(images.clone())
        return compute(images)

    watched.server._compute = watch  # pyright: ignore[reportPrivateUsage]
    watched(picture)
    calls: dict[str, Callable[[Tensor], Tensor]] = {"torch": partial(_torch, network, precision)}
    for name in OTHERS:
        kind: Any = registry("backends").get(name)
        if precision not in kind.precisions or missing(kind.packages, ""):
            continue
        sessions = Sessions(network, kind(), name, precision)
        try:
            _every(sessions, [each.contiguous() for each in seen])
        except (UserError, ValueError, RuntimeError):
            continue
        calls[name] = sessions
    return calls, seen


def _torch(network: nn.Module, precision: str, images: Tensor) -> Tensor:
    dtype = PRECISIONS[precision]
    with networks_in(getattr(torch, dtype) if dtype else None):
        return network(images)


def _every(call: Callable[[Tensor], Tensor], tiles: Sequence[Tensor]) -> None:
    with torch.inference_mode():
        for tile in tiles:
            call(tile)


def _plainly(call: Callable[[Tensor], Tensor], picture: np.ndarray) -> np.ndarray:
    """As one would write it: pixels (H, W, 3) to floats, through the network, and back."""
    floats = torch.from_numpy(picture.transpose(2, 0, 1)[None].astype(np.float32) / 255)
    with torch.inference_mode():
        made = call(floats)[0].float().numpy()
    return (made.transpose(1, 2, 0).clip(0, 1) * 255).round().astype(np.uint8)
