"""Which of two folders of pictures does a person prefer? A page of pairs in random order, and a key in a file apart.

    python tools/blind_sheet.py results/joint results/cascade -o sheet.html
    python tools/blind_sheet.py --votes LRL-RLL --key sheet.key.json

Files of one name, below both folders, are a pair; each is shown on the left as often as chance has it. The page holds
the pictures, opens without a server, and ends in a line of votes to copy: L, R, or - where nobody can tell. The second
command counts them: how often the first folder was preferred, with a 95 % interval (Wilson, 1927).
"""

from __future__ import annotations

import argparse
import base64
import json
import random
from pathlib import Path

from toolbox.benchmark.statistics import wilson
from toolbox.io.images import find_images

KINDS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp", ".gif": "gif", ".avif": "avif"}
"""What browsers show."""
PAGE = """<!doctype html><meta charset="utf-8"><title>Which one?</title>
<style>body{{font:16px sans-serif;margin:2em auto;max-width:1400px}} section{{margin:2em 0}} img{{max-width:48%}}
button{{font-size:1em;margin:.4em}} .chosen{{background:#bde}}</style>
<h1>Which one is the better painting of its photograph?</h1>
<p>Click below each pair, and send the line at the end.</p>
{pairs}
<p>Your votes: <code id="votes"></code></p>
<script>
const votes = Array({count}).fill("?");
const show = () => document.getElementById("votes").textContent = votes.join("");
document.querySelectorAll("button").forEach((button) => button.onclick = () => {{
  votes[button.dataset.pair] = button.dataset.vote;
  button.parentNode.querySelectorAll("button").forEach((each) => each.classList.toggle("chosen", each === button));
  show();
}});
show();
</script>
"""
PAIR = """<section><img src="{left}" alt="left"> <img src="{right}" alt="right"><div>
<button data-pair="{number}" data-vote="L">left</button><button data-pair="{number}" data-vote="-">cannot tell</button>
<button data-pair="{number}" data-vote="R">right</button></div></section>"""


def as_data(path: Path) -> str:
    """A picture as an address that holds it."""
    return f"data:image/{KINDS[path.suffix.lower()]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def sheet(first: Path, second: Path, *, most: int, seed: int) -> tuple[str, dict[str, object]]:
    """The page, and the key: the pairs in order, with the side on which the first folder's picture is."""
    drawn = random.Random(seed)
    names = [
        path.relative_to(first).as_posix()
        for path in find_images(first)
        if path.suffix.lower() in KINDS and (second / path.relative_to(first)).is_file()
    ]
    if not names:
        raise SystemExit(f"error: {first} and {second} have no pictures of one name that a browser shows")
    chosen = drawn.sample(names, min(most, len(names)))
    sides = [drawn.choice("LR") for _ in chosen]
    pairs = []
    for number, (name, side) in enumerate(zip(chosen, sides, strict=True)):
        left, right = (first, second) if side == "L" else (second, first)
        pairs.append(PAIR.format(number=number, left=as_data(left / name), right=as_data(right / name)))
    key = {"first": str(first), "second": str(second), "pairs": chosen, "first_is": "".join(sides)}
    return PAGE.format(pairs="\n".join(pairs), count=len(pairs)), key


def counted(votes: str, key: dict[str, str]) -> str:
    """What votes say, in a line."""
    sides = key["first_is"]
    if len(votes) != len(sides) or set(votes) - set("LR-?"):
        raise SystemExit(f"error: --votes: wants {len(sides)} letters L, R, - or ?, got {votes!r}")
    told = [vote == side for vote, side in zip(votes, sides, strict=True) if vote in "LR"]
    if not told:
        return "nobody could tell"
    low, high = wilson(sum(told), len(told))
    return (
        f"{key['first']} was preferred in {sum(told)} of {len(told)} pairs, {sum(told) / len(told):.0%} "
        f"[{low:.0%}, {high:.0%}]; {len(votes) - len(told)} without a vote"
    )


def main() -> None:
    """Read the command line; write a page and its key, or count votes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="two of them")
    parser.add_argument("-o", dest="page", type=Path, default=Path("sheet.html"), help="the page (sheet.html)")
    parser.add_argument("--pairs", type=int, default=20, help="pairs at most (20)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--votes", help="the line that the page ends in")
    parser.add_argument("--key", type=Path, help="the page's key")
    options = parser.parse_args()
    if options.votes:
        if options.key is None:
            parser.error("--votes: name the page's --key too")
        print(counted(options.votes, json.loads(options.key.read_text(encoding="utf-8"))))
        return
    if len(options.folders) != 2:
        parser.error("name two folders")
    page, key = sheet(*options.folders, most=options.pairs, seed=options.seed)
    options.page.write_text(page, encoding="utf-8")
    options.page.with_suffix(".key.json").write_text(json.dumps(key, indent=1), encoding="utf-8")
    print(f"{options.page}, {len(str(key['first_is']))} pairs; the key is {options.page.with_suffix('.key.json')}")


if __name__ == "__main__":
    main()
