"""`auto` in trouble: runtimes that fail in their turn, other machines and packages, and tiles that take long."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolbox import Backend, Graph, Session
from toolbox.inference import Options, kept_graphs, serving
from toolbox.inference.serving import Server
from toolbox.plugins.registry import registry

PIXELS = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(0))
RACE = serving._race


class Network(nn.Module):
    """One layer, which counts the pixels it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images)


class Failing(Backend):
    """PyTorch, which fails at the calls of the given numbers."""

    failures: dict[int, Exception] = {}
    calls: list[int] = []

    def prepare(self, graph: Graph, folder: Path, *, precision: str = "fp32") -> Session:
        backend = self

        class Counted:
            names = [each.name for each in graph.inputs]
            metadata: dict[str, str] = {}

            def __call__(self, tensors: Sequence[Tensor]) -> Tensor:
                backend.calls.append(tensors[0].numel())
                if error := backend.failures.get(len(backend.calls)):
                    raise error
                with torch.no_grad():
                    return graph(*tensors)

        return Counted()


@pytest.fixture(autouse=True)
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`failing` is the only backend beside PyTorch, and twice as fast; any work is enough to try it."""
    monkeypatch.setenv("TOOLBOX_CACHE", str(tmp_path / "cache"))
    Failing.calls, Failing.failures = [], {}
    kinds = {"failing": Failing, "torch": registry("backends").get("torch")}
    monkeypatch.setattr(registry("backends"), "names", lambda: sorted(kinds))
    monkeypatch.setattr(registry("backends"), "get", lambda name: kinds[name])
    for name in ("WORTH", "KNOWN", "LOOKED"):
        monkeypatch.setattr(serving, name, 0.0)
    monkeypatch.setattr(serving, "_race", lambda ways, images, seconds: {"torch": 1.0, "failing": 0.5})


def served(said: list[str], tiles: int = 1) -> tuple[Server, Network]:
    """`auto`, which has computed so many tiles of a hundred."""
    network = Network().eval()
    server = Server(network, Options(), torch.device("cpu"), said.append)
    server.plan(100 * PIXELS.numel())
    with torch.inference_mode():
        for _ in range(tiles):
            assert torch.allclose(server(PIXELS), network(PIXELS), atol=1e-5)
    return server, network


def test_a_runtime_that_fails_while_it_is_timed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_race", RACE)
    Failing.failures = {2: ValueError("no such shape")}
    said: list[str] = []
    server, _ = served(said, tiles=3)
    assert server.fix() == "torch" and len(Failing.calls) == 2
    assert said == ["--backend failing: is left out (no such shape)"]


def test_a_tile_at_which_the_chosen_runtime_fails_is_pytorchs() -> None:
    Failing.failures = {3: ValueError("no such shape")}
    said: list[str] = []
    server, _ = served(said, tiles=4)
    assert server.fix() == "failing" and len(Failing.calls) == 4
    assert said[1:] == ["--backend failing: fails (no such shape); torch computes this tile"]


def test_a_runtime_that_goes_on_failing_is_left() -> None:
    Failing.failures = {number: RuntimeError("broken") for number in range(2, 99)}
    said: list[str] = []
    server, _ = served(said, tiles=9)
    assert server.fix() == "torch" and len(Failing.calls) == 1 + serving.FAILURES
    assert said[-1] == "--backend failing: fails (broken); torch computes from here"


def test_what_pytorch_cannot_compute_either_is_raised_as_it_is() -> None:
    said: list[str] = []
    server, _ = served(said, tiles=2)
    with pytest.raises(RuntimeError, match="channels"):
        server(torch.rand(1, 5, 8, 8))
    Failing.failures = {len(Failing.calls) + 1: MemoryError("bad_alloc")}
    with pytest.raises(MemoryError):  # tiles are halved then
        server(PIXELS)
    assert server.fix() == "failing" and len(said) == 1


def test_memory_that_ran_out_is_not_remembered() -> None:
    Failing.failures = {1: MemoryError("bad_alloc")}
    said: list[str] = []
    assert served(said, tiles=2)[0].fix() == "torch"
    assert served(said, tiles=2)[0].fix() == "failing", "the next run has memory"


def changed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another circumstance: more threads, another processor, another version, or another backend beside."""
    if name == "threads":
        monkeypatch.setattr(torch, "get_num_threads", lambda: 63)
    elif name == "processor":
        monkeypatch.setattr(kept_graphs, "_processor", lambda: "x86_64 of another kind")
    elif name == "version":
        monkeypatch.setattr(kept_graphs, "version", lambda package: "99")
    elif name == "backend":
        kinds = {"failing": Failing, "newer": Failing}
        monkeypatch.setattr(registry("backends"), "names", lambda: sorted(kinds))
        monkeypatch.setattr(registry("backends"), "get", lambda name: kinds[name])


@pytest.mark.parametrize("what", ["nothing", "threads", "processor", "version", "backend"])
def test_what_was_the_fastest_elsewhere_is_not_taken(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Failing, "packages", ("numpy",))
    said: list[str] = []
    served(said)
    changed(what, monkeypatch)
    served(said)
    assert ("before" in said[1]) == (what == "nothing")


def test_a_runtime_that_is_installed_later_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(Failing, "packages", ("no_such_package",))
    assert served(said, tiles=2)[0].fix() == "torch" and not said
    monkeypatch.setattr(Failing, "packages", ("numpy",))
    assert served(said, tiles=2)[0].fix() == "failing"


def test_of_tiles_that_take_long_a_piece_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    class Slow(Network):
        def forward(self, images: Tensor) -> Tensor:
            now[0] += images.numel() / 1000
            return super().forward(images)

    monkeypatch.setattr(serving, "_race", RACE)
    monkeypatch.setattr(serving, "perf_counter", lambda: now[0])
    said: list[str] = []
    images = torch.rand(1, 3, 320, 320, generator=torch.Generator().manual_seed(0))
    network: Any = Slow().eval()
    server = Server(network, Options(), torch.device("cpu"), said.append)
    server.plan(3 * images.numel())
    with torch.inference_mode():
        server(images)
    tile = images.numel() / 1000
    assert len(said) == 1 and set(Failing.calls) == {3 * serving.PIECE**2}
    assert now[0] < 2.0 * tile, "a tile, and pieces that take less than another"


def test_of_much_work_whole_tiles_are_tried() -> None:
    said: list[str] = []
    served(said)
    assert Failing.calls == [PIXELS.numel()]
