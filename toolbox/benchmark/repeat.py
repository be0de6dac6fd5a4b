"""One config trained with several seeds: the final checkpoints' results, their mean and their spread."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import yaml
from rich.table import Table

from toolbox.benchmark.kept import REPORT, read_typed
from toolbox.config.load import read_text
from toolbox.config.yaml_loader import parse_yaml
from toolbox.engine.continuing import differences
from toolbox.engine.report import strict
from toolbox.io.apart import apart
from toolbox.io.console import console, errors
from toolbox.io.errors import RunFailed, UserError
from toolbox.io.files import replace_text
from toolbox.plugins.manager import manager
from toolbox.weights.checkpoint import checkpoints

Launch = Callable[[list[str]], str | None]
"""Runs `gan-toolbox ARGUMENTS`; returns None, or in one line why it failed."""
OWN = ("work_dir", "resume")
"""Keys of a config that differ from seed to seed, beside the seed itself."""


@dataclass
class Repetition:
    """What several runs of one config reached: each with its final checkpoint, never with its best."""

    config: Mapping[str, Any]
    folder: Path
    tested: bool
    """Whether results are those on the test set; otherwise on the validation set, the config having no other."""
    reports: dict[int, dict[str, Any]] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)

    @property
    def iterations(self) -> int:
        """How long each run is."""
        return int(self.config["train_cfg"]["max_iters"])

    def run(self, seed: int) -> Path:
        """The folder of one seed's run."""
        return self.folder / f"seed_{seed}"

    def results(self, seed: int) -> dict[str, Any] | None:
        """A run's report on its final checkpoint, its rows reduced to that one and the baseline; None if it has none.

        The row of training is that of the last iteration; a test says itself whether it measured the last checkpoint.
        """
        for place in ["test"] if self.tested else [".", "test"]:
            path = self.run(seed) / place / "report.json"
            report = read_typed(path, REPORT)
            rows = report.get("rows", {})
            ending = f"({self.iterations} iterations)"
            names = ["test"] if report.get("final") else [name for name in rows if name.endswith(ending)]
            if report.get("iterations") == self.iterations and names and names[-1] in rows:
                return report | {"rows": {"do nothing": rows.get("do nothing", {}), "final": rows[names[-1]]}}
        return None

    def rows(self) -> list[dict[str, Any]]:
        """Every metric under every protocol that it was measured by: unlike protocols are never merged."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for seed, report in self.reports.items():
            for name, value in report["rows"]["final"].items():
                protocol = report["protocols"].get(name, "")
                row = found.setdefault(
                    (name, protocol), {"metric": name, "protocol": protocol, "values": {}, "baselines": []}
                )
                row["values"][str(seed)] = float(value)
                baseline = report["rows"]["do nothing"].get(name)
                row["baselines"] += [] if baseline is None else [float(baseline)]
        for row in found.values():
            values, baselines = list(row["values"].values()), row.pop("baselines")
            row["do_nothing"] = mean(baselines) if baselines else None
            row["mean"], row["n"] = mean(values), len(values)
            several = len(values) > 1 and all(isfinite(value) for value in values)
            row["spread"] = stdev(values) if several else None  # n - 1: of all seeds, not of these
        return list(found.values())


def repeat(config: Mapping[str, Any], seeds: Sequence[int], folder: Path, launch: Launch, train: list[str],
           test: list[str]) -> Repetition:  # fmt: skip
    """Train `config` with each seed in a process of its own, and measure the final checkpoint.

    What is finished is not done again, and an interrupted run continues. `train` and `test` are the arguments of these
    commands, from the config's name on.

    Raises:
        UserError: the folder holds runs of another config.
    """
    made = Repetition(config, folder, tested=bool(config.get("test_dataloader")))
    claim(folder, config)
    for seed in seeds:
        reason = one_run(made, seed, launch, train, test)
        report = made.results(seed)
        if reason is None and report is not None:
            made.reports[seed] = report
        else:
            made.failed[seed] = reason or "it left no report of its last iteration"
    return made


def claim(folder: Path, config: Mapping[str, Any]) -> None:
    """Keep the config beside its runs, and refuse a folder that holds those of another."""
    wanted = {key: value for key, value in config.items() if key not in OWN}
    wanted["randomness"] = {k: v for k, v in (config.get("randomness") or {}).items() if k != "seed"}
    wanted = yaml.safe_load(yaml.safe_dump(wanted))
    path = folder / "config.yaml"
    if path.is_file():
        for place, (there, now) in differences(parse_yaml(read_text(path), str(path)), wanted, "config"):
            difference = f"{place.removeprefix('config.')}: {there} there, {now} now"
            raise UserError(
                f"{folder}: holds runs of another config ({difference}); choose another folder with --work-dir"
            )
    replace_text(path, yaml.safe_dump(wanted, sort_keys=False, allow_unicode=True))


def one_run(made: Repetition, seed: int, launch: Launch, train: list[str], test: list[str]) -> str | None:
    """Train and measure with one seed what is not done yet; returns why it failed, or None."""
    run = made.run(seed)
    final = run / f"iter_{made.iterations}.pth"
    if not final.is_file():
        for path in (run / "report.json", run / "test" / "report.json"):
            path.unlink(missing_ok=True)  # of an earlier training
        resume = ["--resume"] if checkpoints(run) else []
        options = ["--cfg-options", f"randomness.seed={seed}"]
        reason = launch(["train", *train, *options, "--work-dir", str(run), *resume])
        if reason is not None:
            return reason
    if made.results(seed) is None:
        place = ["--work-dir", str(run / "test")]
        return launch(["test", test[0], str(final), *test[1:], *place])
    return None


def in_a_process(arguments: list[str]) -> str | None:
    """Run `gan-toolbox ARGUMENTS` in a process of its own, its output shown; returns why it failed, or None.

    Ctrl-C, SIGTERM and SIGHUP are passed on, so that the run saves and stops; then RunFailed ends the repetition too.
    """
    command, last = apart("toolbox.cli", *arguments), ""
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True) as run:
        with passing_on_signals(run) as passed:
            assert run.stderr is not None
            for line in run.stderr:
                errors.print(line.rstrip(), soft_wrap=True)
                last = line.strip() or last
        code = run.wait()
    if passed:
        raise RunFailed("stopped; the same command continues")
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return None if code == 0 else last.removeprefix("error: ").removeprefix("failed: ") or f"exit code {code}"


@contextmanager
def passing_on_signals(run: subprocess.Popen[str]) -> Iterator[list[int]]:
    """Hand a process the signals that ask this one to stop; gives the list of those that came."""
    passed: list[int] = []

    def pass_on(number: int, _: Any) -> None:
        passed.append(number)
        run.send_signal(number)

    if threading.current_thread() is not threading.main_thread():
        yield passed
        return
    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as by nohup
        numbers.append(signal.SIGHUP)
    previous = {number: signal.signal(number, pass_on) for number in numbers}
    try:
        yield passed
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def show(made: Repetition, title: str) -> None:
    """Print the table, and write it as `repeat.md` and `repeat.json` in the repetition's folder."""
    data = "test" if made.tested else "validation"
    seeds = [*made.reports]
    weights = ", ".join(sorted({report.get("weights", "as trained") for report in made.reports.values()}))
    heading = f"{title}: {len(seeds)} seeds, final checkpoint (iteration {made.iterations}), {data} data"
    columns = ["metric", "do nothing", "mean", "spread", *(f"seed {seed}" for seed in seeds), "protocol"]
    rows, lines = made.rows(), []
    for row in rows:
        values = [row["do_nothing"], row["mean"], row["spread"], *(row["values"].get(str(seed)) for seed in seeds)]
        lines.append([row["metric"], *digits(values), row["protocol"]])
    table = Table(*columns, title=heading, caption=f"weights: {weights}" if weights else None)
    for line in lines:
        table.add_row(*line)
    console.print(table)
    failures = [f"seed {seed} failed: {reason}" for seed, reason in made.failed.items()]
    for failure in failures:
        console.print(failure, style="bad", soft_wrap=True)
    content = {
        "title": title,
        "data": data,
        "checkpoint": "final",
        "iterations": made.iterations,
        "weights": weights,
        "seeds": seeds,
        "metrics": rows,
        "failed": {str(seed): reason for seed, reason in made.failed.items()},
        "plugins": manager().versions(),
    }
    replace_text(made.folder / "repeat.json", json.dumps(strict(content), indent=2, allow_nan=False) + "\n")
    text = [f"# {heading}", "", f"| {' | '.join(columns)} |", f"|---|{'---:|' * (len(columns) - 2)}---|"]
    text += [f"| {' | '.join(f'`{cell}`' if cell and i == len(line) - 1 else cell for i, cell in enumerate(line))} |"
             for line in lines]  # fmt: skip
    text += ["", f"Spread: the standard deviation over seeds (n - 1). Weights: {weights}.", ""]
    text += [f"- {failure}" for failure in failures]
    replace_text(made.folder / "repeat.md", "\n".join(text).rstrip() + "\n")


def digits(values: Sequence[float | None]) -> list[str]:
    """Numbers of one row with digits enough for the largest: a KID is small."""
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    return ["" if value is None else f"{value:.{5 if largest < 0.1 else 3}f}" for value in values]
