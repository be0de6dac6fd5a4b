"""The benchmark's page as a file: one document that holds everything, and in which users' text stays text."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_report import HOSTILE, SCRIPT, made_up_report, with_pictures
from PIL import Image

from toolbox.benchmark.page import TEMPLATE, as_script, write_page
from toolbox.io.images import read_image


class Parsed(HTMLParser):
    """The tags of a document with their attributes, and the texts of its title, headings and scripts."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open = ""
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open in ("title", "h1", "script"):
            self.texts.append((self._open, data))

    def text(self, tag: str, number: int = 0) -> str:
        return [text for name, text in self.texts if name == tag][number]


def written(report: dict[str, Any], folder: Path) -> Parsed:
    write_page(report, folder, folder / "report.html")
    return Parsed(folder / "report.html")


def test_the_page_holds_the_whole_report_whatever_its_texts_are(tmp_path: Path) -> None:
    report = made_up_report()
    report["description"] = f"{SCRIPT} {{{{report}}}} \u2029 <SCRIPT> ]]> -->"
    page = written(report, tmp_path)
    assert json.loads(page.text("script")) == {**report, "pictures": {}}
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert page.text("title") == page.text("h1") == report["title"]
    assert not [tag for tag, _ in page.tags if tag == "img"]


def test_json_in_a_script_has_no_sign_that_ends_it() -> None:
    assert as_script(["</script>", "<!--", "\u2028\u2029\ud800"]) == (
        r'["\u003c/script>","\u003c!--","\u2028\u2029\ud800"]'
    )


def test_nothing_in_the_file_points_out_of_it(tmp_path: Path) -> None:
    page = written(with_pictures(made_up_report(), tmp_path), tmp_path)
    assert [(tag, each) for tag, of in page.tags for each in of if each in ("src", "srcset")] == []
    assert [of["href"] for _, of in page.tags if "href" in of] == ["data:,"]
    assert not re.search(r"url\(|@import|@font-face", (TEMPLATE / "page.css").read_text())
    addresses = {each for file in TEMPLATE.glob("*.*") for each in re.findall(r"https?://[^\"' ]+", file.read_text())}
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name space, which nobody asks


def test_the_policy_lets_this_script_run_and_no_other(tmp_path: Path) -> None:
    page = written(made_up_report(), tmp_path)
    (policy,) = [of["content"] for tag, of in page.tags if tag == "meta" and "http-equiv" in of]
    digest = base64.b64encode(hashlib.sha256(page.text("script", 1).encode()).digest()).decode()
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and rules["img-src"] == "data:"
    assert rules["script-src"] == f"'sha256-{digest}'"


def test_the_scripts_never_read_text_as_html() -> None:
    for script in TEMPLATE.glob("*.js"):
        text = script.read_text(encoding="utf-8")
        assert not re.search(r"(inner|outer)HTML|insertAdjacent|document\.write|\beval\b|new Function|srcdoc", text)
        assert "</" not in text and len(text.splitlines()) <= 350


def test_pictures_come_into_the_page_pixel_by_pixel(tmp_path: Path) -> None:
    report = with_pictures(made_up_report(("Vanilla",), ("patch", "unet")), tmp_path)
    found = json.loads(written(report, tmp_path).text("script"))["pictures"]
    assert found.pop("samples/not_there.webp") is None
    assert len(found) == 2 * (2 + 2)
    for path, uri in found.items():
        kind, _, data = uri.partition(";base64,")
        assert kind == "data:image/webp"
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            assert np.array_equal(np.asarray(image.convert("RGB")), read_image(tmp_path / path))


def test_a_damaged_picture_is_missing_and_the_page_is_written(tmp_path: Path) -> None:
    report = with_pictures(made_up_report(("Vanilla",), ("patch",)), tmp_path)
    path = report["samples"][0]["cells"][0][2]
    (tmp_path / path).write_bytes((tmp_path / path).read_bytes()[:100])
    assert json.loads(written(report, tmp_path).text("script"))["pictures"][path] is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_in_json_is_none(value: float, tmp_path: Path) -> None:
    report = made_up_report()
    report["runs"]["dead"]["curves"] = {"g/pixel": [(10, value), (20, 1.0)]}
    found = json.loads(written(report, tmp_path).text("script"))
    assert found["runs"]["dead"]["curves"]["g/pixel"] == [[10, None], [20, 1.0]]


def test_a_title_that_is_no_text_of_utf_8_stops_nothing(tmp_path: Path) -> None:
    report = {**made_up_report(), "title": f"broken \ud800 {HOSTILE}"}
    assert written(report, tmp_path).text("title").endswith(HOSTILE)
