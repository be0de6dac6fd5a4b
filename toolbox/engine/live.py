"""A run while it trains, as one piece of HTML: how far it is, a curve of each value, the last sheet of samples."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook

from toolbox.engine.progress import ProgressHook
from toolbox.io.progress import hours
from toolbox.io.sheets import sheets

WIDTH, HEIGHT = 240, 80
"""Of a curve, in pixels."""
MOST = 400
"""Points of a curve that are drawn; of more, every second, third, …"""
Curve = list[tuple[int, float]]
"""Iterations and values."""


class LiveHook(Hook):
    """Hands `show` the whole view each time that there is something new: a notebook puts it in place of the last.

    The lines of progress are left out meanwhile. It only looks on: the run's numbers are the same with it and without.
    """

    priority = "VERY_LOW"  # after what it shows was measured and drawn

    def __init__(self, show: Callable[[str], None]) -> None:
        self.show = show
        self.curves: dict[str, Curve] = {}
        self.seconds = 0.0
        """What an iteration takes."""

    def before_train(self, runner: Any) -> None:
        """Silence the lines of progress."""
        for hook in runner.hooks:
            if isinstance(hook, ProgressHook):
                hook.silent = True

    def after_record(self, runner: Any, values: dict[str, float], iteration: int) -> None:
        """Keep what was averaged or measured, and show it."""
        self.seconds = values.get("time", self.seconds)
        for name, value in values.items():
            if name != "time" and not name.startswith("lr/"):
                self.curves.setdefault(name, []).append((iteration, value))
        self._draw(runner, iteration)

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Show the new sheet of samples."""
        self._draw(runner, runner.iter)

    def _draw(self, runner: Any, iteration: int) -> None:
        if runner.rank == 0:
            left = hours(self.seconds * (runner.max_iters - iteration))
            said = f"{iteration:,} of {runner.max_iters:,} iterations, {self.seconds:.3g} s each, {left} left"
            newest = next(reversed(sheets(Path(runner.work_dir)).values()), None)
            self.show(view(said, self.curves, newest))


def view(said: str, curves: dict[str, Curve], sheet: Path | None) -> str:
    """The HTML: a line of text, the curves side by side, and a picture; nothing is fetched."""
    drawn = "".join(_drawn(name, curve) for name, curve in curves.items())
    picture = base64.b64encode(sheet.read_bytes()).decode() if sheet else ""
    shown = f'<img alt="samples" style="max-width:100%" src="data:image/png;base64,{picture}">' if picture else ""
    return f'<p>{escape(said)}</p><div style="display:flex;flex-wrap:wrap">{drawn}</div>{shown}'


def _drawn(name: str, curve: Curve) -> str:
    """A curve as SVG under its name and last value, with its extremes beside it."""
    points = curve[:: -(-len(curve) // MOST)]
    points += [curve[-1]] * (points[-1] != curve[-1])
    finite = [value for _, value in points if abs(value) < float("inf")]  # neither NaN nor infinite
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    first, last = points[0][0], points[-1][0]
    places = [
        f"{(at - first) / max(last - first, 1) * WIDTH:.1f},{HEIGHT - _share(value, low, high) * HEIGHT:.1f}"
        for at, value in points
        if abs(value) < float("inf")
    ]
    label = f"<figcaption><b>{escape(name)}</b> {curve[-1][1]:.4g}</figcaption>"
    width, height = WIDTH + 70, HEIGHT + 12
    return (
        f'<figure style="margin:0 1em 1em 0">{label}'
        f'<svg width="{width}" height="{height}" viewBox="-2 -6 {width} {height}" role="img" '
        f'font-size="10" fill="currentColor">{_line(places)}'
        f'<text x="{WIDTH + 6}" y="4">{high:.4g}</text>'
        f'<text x="{WIDTH + 6}" y="{HEIGHT + 4}">{low:.4g}</text></svg></figure>'
    )


def _share(value: float, low: float, high: float) -> float:
    """Where a value lies between the extremes, 0 to 1; in the middle where there is but one."""
    return (value - low) / (high - low) if high > low else 0.5


def _line(places: Sequence[str]) -> str:
    if len(places) == 1:
        x, y = places[0].split(",")
        return f'<circle cx="{x}" cy="{y}" r="2.5"/>'
    return f'<polyline points="{" ".join(places)}" fill="none" stroke="currentColor" stroke-width="1.5"/>'
