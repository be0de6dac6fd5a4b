"""docs/networks.md says what the committed reports say, and every network of the grids has its advice."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from toolbox.benchmark.grid import read_grid

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/networks.md").read_text(encoding="utf-8")
GRIDS = ("networks_small", "networks_latency_small")


def tables(text: str) -> list[dict[str, dict[str, str]]]:
    """The Markdown tables of a page: by row and column, without stars and emphasis."""
    found: list[dict[str, dict[str, str]]] = []
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        head, _, *body = [[cell.strip(" *★`") for cell in line.strip("|\n").split("|")] for line in block.splitlines()]
        found.append({row[0]: dict(zip(head, row, strict=True)) for row in body})
    return found


def report(name: str) -> str:
    return (ROOT / f"docs/benchmark/{name}.md").read_text(encoding="utf-8")


TIMES = tables(report("networks_small_latency"))[0]
RUNTIMES = ("PyTorch fp32", "PyTorch bf16", "onnxruntime fp32", "OpenVINO fp32", "OpenVINO bf16")


@pytest.mark.parametrize(("place", "name"), list(enumerate(GRIDS)))
def test_the_pages_figures_are_those_of_the_report(place: int, name: str) -> None:
    (shown, measured) = (tables(PAGE)[place], tables(report(name))[0])
    networks = list(read_grid(ROOT / f"configs/benchmark/{name}.yaml").axes["generator"])
    assert set(networks) == set(shown) - {"bicubic"}
    assert shown["bicubic"]["PSNR"] == measured["do nothing"]["psnr ↑"]
    for network in networks:
        row, right = shown[network], measured[network]
        assert row["PSNR"] == right["psnr ↑"], network
        assert row["lite0 distance"] == right["lite0_distance ↓"], network
        assert row["parameters"] == right["parameters"], network
    best = [float(row["PSNR"].split()[0]) for row in shown.values()]
    assert best == sorted(best, reverse=True)


@pytest.mark.parametrize("shown", tables(PAGE)[:2], ids=GRIDS)
def test_the_pages_latencies_are_those_that_were_measured(shown: dict[str, dict[str, str]]) -> None:
    for network, row in shown.items():
        if network != "bicubic":
            right = TIMES[network]
            assert row["GMACs"] == right["GMACs at 128²"]
            assert all(row[each] == right[f"{each}, ms"] for each in RUNTIMES), network


def test_the_networks_compared_cost_alike() -> None:
    costs = [float(row["GMACs at 128²"]) for row in TIMES.values()]
    assert max(costs) / min(costs) < 1.1
    alike = [float(TIMES[name]["OpenVINO bf16, ms"]) for name in tables(report(GRIDS[1]))[0] if name != "do nothing"]
    assert len(alike) == 5 and max(alike) / min(alike) < 1.2


def test_every_network_has_its_advice() -> None:
    (advice,) = re.findall(r"## Take this if\n(.*?)\n## ", PAGE, re.DOTALL)
    for network in read_grid(ROOT / "configs/benchmark/networks_small.yaml").axes["generator"]:
        assert re.search(rf"\*\*.*`{network.split(',')[0]}`.*\*\*", advice), network


@pytest.mark.parametrize("name", GRIDS)
def test_the_reports_hold_no_place_of_a_machine(name: str) -> None:
    for suffix in ("md", "html"):
        text = (ROOT / f"docs/benchmark/{name}.{suffix}").read_text(encoding="utf-8")
        assert not re.search(r"/(work|tmp|home|root)/", text)
