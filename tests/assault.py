"""A night's assault: damaged inputs of every kind, tried in processes under a watchdog, counted in a table.

    python tests/assault.py --cases 100000 --seed 0            # the night
    python tests/assault.py --cases 4000                       # what CI does
    python tests/assault.py --kinds images --case 123 --seed 0 # one case again, in this process

Every case comes from (kind, seed, number) alone. A traceback, a second line, ten seconds, two gigabytes, a dead process
and a result that is silently another each count as a failure; failing inputs are kept, with the command to try them
again. Ends with 1 where anything failed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("OMP_NUM_THREADS", "1")

from strangers import left_out

os.environ.setdefault("TOOLBOX_PLUGINS", left_out())

from attacks import SHARES, attack_on
from attacks.attack import Outcome, tried
from attacks.pool import Case, outcomes

COLUMNS = ("right", "other", "refused", "failed")
SHOWN = 20
"""Failures of each kind that are kept and told; the others are counted."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Try cases, write the table; returns 0, or 1 where anything failed."""
    options = _parser().parse_args(arguments)
    kinds = options.kinds.split(",")
    for kind in kinds:
        if kind not in SHARES:
            sys.exit(f"there is no kind '{kind}'; known: {', '.join(SHARES)}")
    if options.case is not None:
        return _again(kinds[0], options.seed, options.case)
    until = time.monotonic() + options.minutes * 60 if options.minutes else None
    counted: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory(prefix="assault-") as place:
        cases = drawn(kinds, None if options.minutes and not options.cases else options.cases or 10_000)
        for (kind, number), outcome, folder in outcomes(cases, options.seed, options.workers, Path(place), until):
            counted[kind, outcome.name] += 1
            if outcome.name == "failed" and counted[kind, "failed"] <= SHOWN:
                _keep(options, kind, number, outcome, folder)
    text = table(kinds, counted)
    if options.table:
        options.table.write_text(text, encoding="utf-8")
    print(text, end="")
    return 1 if any(name == "failed" for _, name in counted) else 0


def drawn(kinds: Sequence[str], number: int | None) -> Iterator[Case]:
    """Cases of all kinds in turn, each kind by its share; kinds of a fixed number of cases end."""
    ends = {kind: attack_on(kind).cases for kind in kinds}
    numbers, left = {kind: count() for kind in kinds}, number
    while ends:
        for kind in list(ends):
            for _ in range(SHARES[kind]):
                case = next(numbers[kind])
                if case == ends[kind]:
                    del ends[kind]
                    break
                if left == 0:
                    return
                left = None if left is None else left - 1
                yield kind, case


def table(kinds: Sequence[str], counted: Counter[tuple[str, str]]) -> str:
    """What came of it, as Markdown."""
    lines = ["| kind | tried | as undamaged | another result | refused in a line | failed |", "|---|" + "---:|" * 5]
    for kind in kinds:
        each = [counted[kind, name] for name in COLUMNS]
        lines.append(f"| {kind} | {sum(each):,} | " + " | ".join(f"{number:,}" for number in each) + " |")
    sums = [sum(counted[kind, name] for kind in kinds) for name in COLUMNS]
    lines.append(f"| all | {sum(sums):,} | " + " | ".join(f"{number:,}" for number in sums) + " |")
    return "\n".join(lines) + "\n"


def _keep(options: argparse.Namespace, kind: str, number: int, outcome: Outcome, folder: Path) -> None:
    """Keep a failing input with what happened, and say how it is tried again."""
    kept = options.keep / f"{kind}-{options.seed}-{number}"
    again = f"python tests/assault.py --kinds {kind} --seed {options.seed} --case {number}"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    for each in folder.rglob("*") if folder.is_dir() else ():
        if each.is_file() and not each.is_symlink() and each.stat().st_size < 1 << 26:
            target = kept / each.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(each, target)
    (kept / "failure.txt").write_text(f"{again}\n\n{outcome.said}\n", encoding="utf-8", errors="backslashreplace")
    last = outcome.said.strip().splitlines()[-1] if outcome.said.strip() else ""
    print(f"failed: {last[:200]!r}\n  {again}\n  kept in {kept}", flush=True)


def _again(kind: str, seed: int, number: int) -> int:
    """One case in this process."""
    with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as folder:
        os.environ["TOOLBOX_CACHE"] = str(Path(whole) / "cache")
        outcome = tried(attack_on(kind)(Path(whole)), kind, seed, number, Path(folder))
    print(f"{outcome.name}: {outcome.said}")
    return 1 if outcome.name == "failed" else 0


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description="Damaged inputs of every kind, counted in a table.")
    add = made.add_argument
    add("--cases", type=int, metavar="N", help="how many in all (10,000; with --minutes, as many as there is time for)")
    add("--seed", type=int, default=0, metavar="N", help="of all that is drawn (0)")
    add("--minutes", type=float, metavar="M", help="end after so many minutes")
    add("--kinds", default=",".join(SHARES), metavar="A,B", help=f"only these of {', '.join(SHARES)}")
    add("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (one for each core)")
    add("--case", type=int, metavar="N", help="one case of the first kind again, in this process")
    add("--keep", type=Path, default=Path("assault"), metavar="DIR", help="where failing inputs are kept (assault)")
    add("--table", type=Path, metavar="FILE", help="write the table there too")
    return made


if __name__ == "__main__":
    sys.exit(main())
