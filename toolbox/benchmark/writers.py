"""A benchmark's report in every format: HTML for people, Markdown for repositories, CSV and JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolbox.benchmark.page import write_page
from toolbox.io.csv_text import csv_text
from toolbox.io.files import replace_text
from toolbox.plugins.manager import manager

SHOWN_COSTS = ("parameters", "gmacs", "step_seconds", "training_minutes", "latency_ms")
"""Costs that the Markdown shows; the page shows all."""


def write_report(report: dict[str, Any], folder: Path) -> list[Path]:
    """Write every format below `folder`, then let plugins add theirs; returns the files."""
    texts = {
        "report.json": json.dumps(report, indent=1, allow_nan=False) + "\n",
        "report.md": as_markdown(report),
        "results.csv": as_csv(report),
        "results.jsonl": as_lines(report),
    }
    for name, text in texts.items():
        replace_text(folder / name, text)
    write_page(report, folder, folder / "report.html")
    manager().call("report_ready", report=report, folder=folder)
    return [folder / name for name in ("report.html", *texts)]


def as_csv(report: Mapping[str, Any]) -> str:
    """One line for each number of each run, with its protocol: unlike numbers share no column."""
    axes = list(report["axes"])
    rows = [["table", "cell", *axes, "seed", "quantity", "value", "protocol", "budget", "data", "run"]]
    for key, run, table, cell in measured_runs(report):
        start = [table["title"], cell["id"], *(cell["alternatives"].get(axis, "") for axis in axes), run["seed"]]
        for name, value in {**run["metrics"], **run["costs"]}.items():
            protocol = table["protocols"].get(name, "")
            rows.append([*start, name, "" if value is None else value, protocol, table["budget"], table["data"], key])
    return csv_text(rows)


def as_lines(report: Mapping[str, Any]) -> str:
    """One JSON object for each run: its cell, numbers, protocols and where they are from."""
    found = []
    for key, run, table, cell in measured_runs(report):
        kept = {name: value for name, value in run.items() if name not in ("log", "config", "curves")}
        beside = {name: table[name] for name in ("protocols", "budget", "data")}
        found.append(json.dumps({"run": key, **kept, "alternatives": cell["alternatives"], **beside}, allow_nan=False))
    return "".join(f"{line}\n" for line in found)


def measured_runs(report: Mapping[str, Any]) -> list[tuple[str, Any, Any, Any]]:
    """Key, run, table and cell of every run that is done."""
    return [
        (key, report["runs"][key], table, cell)
        for table in report["tables"]
        for cell in table["cells"]
        for key in cell["runs"]
    ]


def as_markdown(report: Mapping[str, Any]) -> str:
    """The tables, effects and failures as text."""
    lines = [f"# {_text(report['title'])}", ""]
    lines += [report["description"].strip(), ""] if report["description"] else []
    seeds = ", ".join(map(str, report["seeds"]))
    lines += [f"Made by `python tools/benchmark.py {report['grid']}` on {report['made']}; seeds {seeds}.", ""]
    for table in report["tables"]:
        lines += _table(table, report)
    for title, key in (("Refused", "refused"), ("Failed", "failures"), ("Left behind by halving", "cut")):
        if report[key]:
            lines += [f"## {title}", "", *(f"- {_failure(each)}" for each in report[key]), ""]
    if report["notes"]:
        lines += ["## Unwise, by the rules of the plugins", ""]
        lines += [*(f"- {_text(each['id'])}: {_text(each['note'])}" for each in report["notes"]), ""]
    return "\n".join(lines).rstrip() + "\n"


def _table(table: Mapping[str, Any], report: Mapping[str, Any]) -> list[str]:
    metrics = list(dict.fromkeys(name for cell in table["cells"] for name in cell["metrics"]))
    costs = [name for name in report["costs"] if name.startswith(SHOWN_COSTS)]
    places = places_of(table)
    lines = [f"## {_text(table['title']) or 'Results'}", ""]
    arrows = [f"{name} {'↑' if report['metrics'][name]['higher_is_better'] else '↓'}" for name in metrics]
    labels = [_labelled(report["costs"][name]) for name in costs]
    lines += [f"| | {' | '.join([*arrows, *labels])} |", f"|---|{'---:|' * (len(metrics) + len(costs))}"]
    if table["do_nothing"]:
        lines.append(
            _row(
                "do nothing",
                [digits(table["do_nothing"].get(name), places[name]) for name in metrics] + [""] * len(costs),
            )
        )
    for cell in _ranked(table, report):
        shown = [spread(cell["metrics"].get(name), places[name]) for name in metrics]
        shown += [digits(cell["costs"].get(name), places.get(name, 3)) for name in costs]
        name = f"{cell['id']}{' ★' if cell['pareto'] else ''}"
        lines.append(_row(f"{name} ({cell['failed']} failed)" if cell["failed"] else name, shown))
    protocols = ", ".join(f"`{each}`" for each in table["protocols"].values())
    cost = report["costs"].get(table["pareto_cost"], {"label": "cost", "unit": ""})
    front = f"★: no other is both better in {report['rank_by']} and cheaper in {_labelled(cost)}."
    legend = f"Mean over seeds and its 95 % interval. {front}"
    lines += ["", f"{legend} Protocols: {protocols}; {table['data']} data.", ""]
    lines += _differences(table, report, metrics)
    return lines + _effects(table, metrics)


def _ranked(table: Mapping[str, Any], report: Mapping[str, Any]) -> list[Any]:
    rank_by = report["rank_by"]
    sign = -1 if report["metrics"].get(rank_by, {}).get("higher_is_better") else 1
    known = [cell for cell in table["cells"] if cell["metrics"].get(rank_by, {}).get("mean") is not None]
    return sorted(known, key=lambda cell: sign * cell["metrics"][rank_by]["mean"]) + [
        cell for cell in table["cells"] if cell not in known
    ]


def _differences(table: Mapping[str, Any], report: Mapping[str, Any], metrics: list[str]) -> list[str]:
    base = report["baseline"]
    against = [cell for cell in table["cells"] if any(m["difference"] for m in cell["metrics"].values())]
    if not base or not against:
        return []
    places = places_of(table)
    lines = [f"Differences from {_text(' / '.join(base.values()))}, paired by seed; *in italics* within the noise:", ""]
    lines += [f"| | {' | '.join(metrics)} |", f"|---|{'---:|' * len(metrics)}"]
    for cell in against:
        each = [(name, (cell["metrics"].get(name) or {}).get("difference")) for name in metrics]
        lines.append(_row(cell["id"], [_signed(difference, places[name]) for name, difference in each]))
    return [*lines, ""]


def _effects(table: Mapping[str, Any], metrics: list[str]) -> list[str]:
    axes = list(dict.fromkeys(axis for name in metrics for axis in table["effects"].get(name, {})))
    if not axes:
        return []
    places = places_of(table)
    lines = ["Effect of each alternative beside the mean of its axis; *in italics* within the noise:", ""]
    lines += [f"| | | {' | '.join(metrics)} |", f"|---|---|{'---:|' * len(metrics)}"]
    for axis in axes:
        names = dict.fromkeys(name for metric in metrics for name in table["effects"].get(metric, {}).get(axis, {}))
        for name in names:
            each = [(metric, table["effects"].get(metric, {}).get(axis, {}).get(name)) for metric in metrics]
            lines.append(f"| {_text(axis)} {_row(name, [_signed(effect, places[metric]) for metric, effect in each])}")
    return [*lines, ""]


def _row(name: str, cells: list[str]) -> str:
    return f"| {_text(name)} | {' | '.join(cells)} |"


def _text(text: str) -> str:
    """User's text that no Markdown reader takes for a cell's end or for HTML."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _labelled(cost: Mapping[str, Any]) -> str:
    return f"{cost['label']}{', ' + cost['unit'] if cost['unit'] else ''}"


def _failure(each: Mapping[str, Any]) -> str:
    seed = f", seed {each['seed']}" if "seed" in each else ""
    reason = each.get("reason") or f"at iteration {each.get('iteration')}"
    stage = f" ({each['stage']})" if each.get("stage") else ""
    return _text(f"{each['id']}{seed}{stage}: {reason}")


def places_of(table: Mapping[str, Any]) -> dict[str, int]:
    """Decimals of each quantity, by its largest value in the table: a KID is small; a difference has its metric's."""
    found: dict[str, int] = {}
    for name in dict.fromkeys(name for cell in table["cells"] for name in (*cell["metrics"], *cell["costs"])):
        means = [cell["metrics"].get(name, {}).get("mean", cell["costs"].get(name)) for cell in table["cells"]]
        largest = max((abs(value) for value in means if value is not None), default=0.0)
        found[name] = next((places for bound, places in ((1000, 0), (10, 2), (0.1, 3)) if largest >= bound), 5)
    return found


def digits(value: float | None, places: int) -> str:
    """A number, or nothing."""
    return "" if value is None else f"{value:,.{places}f}"


def spread(found: Mapping[str, Any] | None, places: int) -> str:
    """`29.10 [28.90, 29.30]`."""
    if found is None or found["mean"] is None:
        return ""
    bounds = f" [{digits(found['low'], places)}, {digits(found['high'], places)}]" if found["low"] is not None else ""
    return digits(found["mean"], places) + bounds


def _signed(found: Mapping[str, Any] | None, places: int) -> str:
    if not found or found["mean"] is None:
        return ""
    text = f"{'+' if found['mean'] >= 0 else ''}{spread(found, places)}"
    return f"*{text}*" if found["noise"] else text
