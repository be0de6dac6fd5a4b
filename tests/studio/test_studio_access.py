"""The page for everybody: by keys alone, on small screens, read by machines, and behind a password."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pages import Open, add
from served import Served, serving

AXE = os.environ.get("AXE_CORE", "")
"""The file axe.min.js of npm's axe-core; `.ci/run` fetches it for this file."""


def wide(page: Any) -> bool:
    return page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


def test_all_is_done_by_keys_alone(opened: Open, files: dict[str, Path]) -> None:
    page = opened()
    add(page, files["one.png"])

    def reach(name: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            here = page.evaluate(
                "(document.activeElement.getAttribute('aria-label') ?? '') + document.activeElement.innerText"
            )
            if here.strip() == name:
                return
        raise AssertionError(name)

    page.keyboard.press("Tab")
    reach("Apply")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Download").wait_for()
    reach("Compare")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Compare on 1 picture").wait_for()


def test_the_right_password_opens_the_page(browser: Any, tmp_path: Path) -> None:
    with serving(tmp_path, "correct horse") as other:
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{other.port}/")
        page.get_by_label("Password").fill("correct horse")
        page.get_by_role("button", name="Enter").click()
        page.get_by_text("Drop pictures or films here").wait_for()
        page.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_screen(opened: Open, files: dict[str, Path], tmp_path: Path, width: int) -> None:
    long = tmp_path / f"{'a_rather_long_name_' * 5}.png"
    long.write_bytes(files["one.png"].read_bytes())
    page = opened(width=width)
    assert not wide(page)
    add(page, long, files["two.jpg"])
    page.get_by_role("radio", name="painter-x4").check()
    page.get_by_text("More", exact=True).click()
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("link", name="Download").wait_for()
    assert not wide(page)
    for view in ("Watch", "Compare"):
        page.get_by_role("link", name=view).click()
        page.wait_for_timeout(300)
        assert not wide(page)


@pytest.mark.skipif(not AXE, reason="AXE_CORE does not name the file axe.min.js of npm's axe-core")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(opened: Open, studio: Served, files: dict[str, Path], scheme: str) -> None:
    page = opened()
    page.emulate_media(color_scheme=scheme)
    axe = Path(AXE).read_text(encoding="utf-8")

    def faults(where: str) -> list[str]:
        page.evaluate(axe)
        found = page.evaluate(
            "async () => (await axe.run()).violations.map((v) => [v.impact, v.id, v.nodes.map((n) => n.html)])"
        )
        return [f"{where}: {each}" for each in found if each[0] in ("serious", "critical")]

    said = faults("empty")
    add(page, files["one.png"], files["two.jpg"])
    page.get_by_role("radio", name="painter-x4").check()
    page.get_by_text("Its card").click()
    page.get_by_text("More", exact=True).click()
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("link", name="Download").wait_for()
    said += faults("use")
    for view in ("Watch", "Compare"):
        page.get_by_role("link", name=view).click()
        page.wait_for_timeout(600)
        said += faults(view)
    page.get_by_label("The other", exact=True).select_option("enlarge-x2 ×2")
    page.get_by_role("button", name="Compare on 2 pictures").click()
    page.get_by_alt_text("picture A").wait_for()
    said += faults("voting")
    assert said == []
