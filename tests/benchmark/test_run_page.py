"""The page that a run leaves: what it tells, that it holds all of it, and that nothing of a run's files runs in it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from browsers import browser
from runs import command, pictures, sr_config, style_config, write_config
from toolbox import train
from toolbox.benchmark.run_page import CHANGES, PAGE, licences, write_run_page
from toolbox.cli import run
from toolbox.io.console import console
from toolbox.weights.shipped import shipped_models

__all__ = ["browser"]
HOSTILE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run over a base, with a change of the command line, that was stopped and resumed."""
    folder = tmp_path_factory.mktemp("ended")
    write_config(sr_config(folder), folder / "base.yaml")
    (folder / "own.yaml").write_text("_base_: base.yaml\nmodel: {generator: {blocks: 2}}\nwork_dir: unused\n")
    place = folder / "run"
    words = [str(folder / "own.yaml"), "--work-dir", str(place), "--cfg-options", "model.generator.width=4"]
    assert run("train", [*words, "--stop-at", "3"]) == 0
    assert (place / PAGE).is_file(), "a run that was stopped has its page"
    with console.capture() as said:
        assert run("train", [str(place / "config.yaml"), "--work-dir", str(place), "--resume"]) == 0
    assert said.get().splitlines()[-1].startswith(f"{place / PAGE} is for a browser"), "it says where to look next"
    return place


def content(folder: Path) -> Any:
    page = (folder / PAGE).read_text(encoding="utf-8")
    found = re.search(r'<script id="report" type="application/json">(.*?)</script>', page)
    assert found is not None
    return json.loads(found[1])


def test_a_page_tells_what_was_trained_measured_and_is_to_be_done(ended: Path) -> None:
    told = content(ended)
    rows = {key: (before, value, source.rpartition("/")[2]) for key, before, value, source in told["changes"]["rows"]}
    assert told["changes"]["base"] == ["base.yaml"]
    assert rows == {
        "model.generator.width": ("8", "4", "--cfg-options"),
        "model.generator.blocks": ("1", "2", "own.yaml"),
    }, "a resumed run keeps the differences that it began with"
    assert ["iterations", "6 of 6"] in told["facts"] and next(iter(told["rows"])) == "do nothing"
    assert told["protocols"]["psnr"].startswith("psnr[") and told["rising"]["psnr"] is True
    assert [step for step, _ in told["curves"]["val/psnr"]] == [3, 6]
    assert [step for step, _ in told["samples"]] == [3, 6]
    assert all(uri.startswith("data:image/webp;base64,") for _, uri in told["samples"])
    assert told["health"] is None and "type: SRGAN" in told["config"]
    cited = {each["bibtex"].partition("{")[2].partition(",")[0] for each in told["papers"]}
    assert {"ledig2017", "lim2017", "isola2017", "mao2017"} <= cited
    assert told["commands"][0][1].endswith(f"--checkpoint {ended / 'iter_6.pth'}")
    names = [name for name, _ in told["environment"]]
    assert names[:3] == ["gan-toolbox", "Python", "torch"]


def test_the_commands_of_a_page_do_what_they_say(ended: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(b"")
    from PIL import Image

    Image.new("RGB", (16, 12), (200, 30, 30)).save(tmp_path / "photo.jpg")
    for _, line in content(ended)["commands"][:3]:
        program, name, *words = line.split()
        assert program == "gan-toolbox" and run(name, words) == 0, line
    with Image.open(tmp_path / "results/photo.jpg") as made:
        assert made.size == (32, 24)


def test_the_commands_of_a_run_of_two_generators_in_a_folder_with_spaces_do_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = style_config(tmp_path)
    config |= {"train_cfg": {"max_iters": 1, "val_interval": 1}, "work_dir": "my run (1)"}
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 0
    pictures(tmp_path / "made", 1).joinpath("00.png").rename(tmp_path / "photo.jpg")
    for _, line in content(tmp_path / "my run (1)")["commands"][:3]:
        _, name, *words = shlex.split(line)
        assert run(name, words) == 0, line


def test_weights_that_a_run_begins_with_are_named_with_their_licence() -> None:
    config = {
        "load_from": {"generator": "enlarge-x4"},
        "model": {"losses": [{"weights": "cache/realesr-animevideov3.pth"}]},
    }
    found = {name: licence for name, licence, _ in licences(config)}
    assert found == {"realesr-animevideov3": "BSD-3-Clause", "enlarge-x4": "Apache-2.0"}
    every = list(licences({"load_from": {name: name for name in shipped_models()}}))
    assert [licence for _, licence, _ in every] == ["Apache-2.0"] * len(shipped_models())
    assert not list(licences({"load_from": "runs/iter_10.pth"}))


def test_from_python_a_run_leaves_the_same_page(tmp_path: Path) -> None:
    config = sr_config(tmp_path)
    config["train_cfg"] = {"max_iters": 1, "val_interval": 1}
    done = train(config, work_dir=tmp_path / "run")
    assert content(done.work_dir)["rows"]
    assert content(done.work_dir)["changes"]["rows"] == []


def test_nothing_of_a_runs_files_runs_and_the_page_asks_for_nothing(ended: Path, browser: Any) -> None:
    report = json.loads((ended / "report.json").read_text())
    report |= {"title": HOSTILE, "notes": [HOSTILE], "protocols": {"psnr": HOSTILE}}
    report["rows"][HOSTILE] = {HOSTILE: 1.0, "psnr": "text"}
    (ended / "report.json").write_text(json.dumps(report))
    look = {"iteration": 6, "verdicts": [HOSTILE], "open": {"x": HOSTILE}}
    (ended / "health.jsonl").write_text(json.dumps(look) + "\n")
    changed = {"base": [HOSTILE], "rows": [[HOSTILE, "", HOSTILE, HOSTILE]]}
    (ended / CHANGES).write_text(json.dumps(changed))
    (ended / "config.yaml").write_text((ended / "config.yaml").read_text() + f"\n# {HOSTILE}\n")
    (scalars,) = [*ended.glob("*/vis_data/scalars.json")][-1:]
    with open(scalars, "a", encoding="utf-8") as file:
        file.write(json.dumps({HOSTILE: 1.0, "step": 6}) + "\n")
    assert write_run_page(ended) == ended / PAGE
    assert HOSTILE not in (ended / PAGE).read_text()
    page, said, asked = browser.new_page(), [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append("a dialog"))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((ended / PAGE).as_uri())
    assert page.title() == HOSTILE and page.locator("h1").inner_text() == HOSTILE
    assert page.locator(".sheet").get_attribute("alt") == "samples at iteration 6"
    page.get_by_label("which sheet of samples").press("Home")
    assert page.locator(".sheet").get_attribute("alt") == "samples at iteration 3"
    assert page.locator("svg .line").count() == 1
    page.get_by_label("Curve", exact=True).select_option(HOSTILE)
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.locator("img").count() == 1 and not said
    assert [url for url in asked if not url.startswith("data:")] == [(ended / PAGE).as_uri()]


def test_a_folder_in_which_nobody_trained_gets_no_page(tmp_path: Path) -> None:
    assert write_run_page(tmp_path / "nowhere") is None and not (tmp_path / "nowhere").exists()
