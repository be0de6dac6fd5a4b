"""The page in a browser without a window: pictures go up and come down, trainings are watched, votes are cast."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from made_up_runs import made_up_run, step
from pages import Open, add
from PIL import Image
from served import SOON, Served, wait_for

from toolbox.io.images import write_image


def states(page: Any) -> list[str]:
    return page.locator(".strip-list .state").all_inner_texts()


def test_a_picture_goes_up_and_its_result_comes_down(opened: Open, files: dict[str, Path]) -> None:
    page = opened()
    assert page.get_by_role("button", name="Apply").is_disabled()
    add(page, files["one.png"])
    wait_for(lambda: page.locator(".command pre").inner_text() == "gan-toolbox infer one.png --weights enlarge-x4")
    page.get_by_role("button", name="Apply").click()
    with page.expect_download() as coming:
        page.get_by_role("link", name="Download").click()
    assert coming.value.suggested_filename == "one_enlarge-x4.png"
    with Image.open(coming.value.path()) as made:
        assert made.size == (128, 96)
    assert states(page) == ["done"] and "128 × 96 pixels" in page.locator(".under .note").inner_text()


def test_a_second_model_is_looked_at_beside_the_first_and_all_come_as_a_zip(
    opened: Open, files: dict[str, Path]
) -> None:
    page = opened()
    add(page, files["two.jpg"], files["three.webp"])
    page.get_by_role("radio", name="painter-x4").check()
    page.get_by_text("ukiyo-e", exact=True).click()
    page.get_by_role("slider", name="strength").fill("0.5")
    wait_for(lambda: "--style ukiyo-e --strength 0.5" in page.locator(".command pre").inner_text())
    page.get_by_role("button", name="to all 2").click()
    wait_for(lambda: states(page) == ["done", "done"])
    page.get_by_role("link", name="All 2 as a zip").wait_for()
    page.get_by_role("radio", name="enlarge-x2").check()
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("link", name="All 3 as a zip").wait_for()
    assert page.get_by_label("Left", exact=True).locator("option").all_inner_texts() == [
        "as it is",
        "painter-x4, ukiyo-e, 0.5",
        "enlarge-x2",
    ]
    page.get_by_label("Left", exact=True).select_option("painter-x4, ukiyo-e, 0.5")
    wait_for(lambda: page.locator(".tag").all_inner_texts() == ["painter-x4, ukiyo-e, 0.5", "enlarge-x2"])
    with page.expect_download() as coming:
        page.get_by_role("link", name="All 3 as a zip").click()
    names = zipfile.ZipFile(io.BytesIO(Path(coming.value.path()).read_bytes())).namelist()
    assert sorted(names) == ["three_painter-x4.webp", "two_enlarge-x2.jpg", "two_painter-x4.jpg"]


def test_the_divider_slides_and_pictures_are_zoomed_to_their_pixels_and_moved(
    opened: Open, files: dict[str, Path]
) -> None:
    page = opened()
    add(page, files["wide.png"])
    page.get_by_role("radio", name="enlarge-x2").check()
    page.get_by_text("More", exact=True).click()
    page.get_by_label("output scale").fill("1")
    page.get_by_label("tile, pixels").fill("0")
    page.get_by_role("button", name="Apply").click()
    page.get_by_label("how much of the left picture is shown").wait_for(timeout=60_000)
    viewer, left = page.locator(".viewer"), page.locator(".viewer > img").nth(1)

    def place() -> list[float]:
        return [float(each) for each in re.findall(r"-?[\d.]+", left.evaluate("image => image.style.transform"))]

    split = page.get_by_label("how much of the left picture is shown")
    split.press("Home")
    assert left.evaluate("image => image.style.clipPath").startswith("inset(0px 480px")
    split.press("End")
    assert left.evaluate("image => image.style.clipPath").startswith("inset(0px")
    viewer.scroll_into_view_if_needed()
    box = viewer.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 20)
    page.mouse.up()
    assert abs(float(split.input_value()) - 25) < 1
    page.get_by_role("button", name="its pixels").click()
    assert place()[2] == 1 and page.locator(".viewer.pixels").count() == 1
    viewer.press("+")
    viewer.press("+")
    assert abs(place()[2] - 2.25) < 0.01 and page.locator(".zoom output").inner_text() == "225 %"
    before = place()
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 260, box["y"] + 190)
    page.mouse.up()
    assert [round(now - then) for now, then in zip(place()[:2], before[:2], strict=True)] == [-40, 0]
    page.mouse.wheel(0, -200)
    assert place()[2] > 2.25
    viewer.press("0")
    assert place()[2] <= 1


def test_stop_and_a_closed_tab_free_the_worker_while_another_tab_goes_on(
    opened: Open, studio: Served, files: dict[str, Path]
) -> None:
    first, second = opened(), opened()
    for page in (first, second):
        add(page, files["large.png"])
        page.get_by_text("More", exact=True).click()
        page.get_by_label("tile, pixels").fill("32")
    first.get_by_role("button", name="Apply").click()
    wait_for(lambda: "%" in states(first)[0])
    first.get_by_role("button", name="Stop").click()
    wait_for(lambda: studio.studio.worker.current is None, SOON)
    wait_for(lambda: states(first) == ["stopped"])
    second.get_by_role("button", name="Apply").click()
    wait_for(lambda: "%" in states(second)[0])
    second.close()
    wait_for(lambda: studio.studio.worker.current is None, SOON)
    add(first, files["one.png"])
    first.locator(".strip-list .pick").nth(1).click()
    first.get_by_label("tile, pixels").fill("")
    first.get_by_role("button", name="Apply").click()
    wait_for(lambda: states(first) == ["stopped", "done"])


def test_a_page_that_is_loaded_again_has_its_pictures_and_results(opened: Open, files: dict[str, Path]) -> None:
    page = opened()
    add(page, files["one.png"])
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("link", name="Download").wait_for()
    page.reload()
    page.get_by_role("link", name="Download").wait_for()
    assert states(page) == ["done"]
    wait_for(lambda: page.evaluate("[...document.images].every((each) => each.complete)"))
    page.get_by_label("remove one.png").click()
    page.get_by_text("Drop pictures or films here").wait_for()


def test_a_live_run_is_watched_beside_another(opened: Open, studio: Served) -> None:
    folder = made_up_run(studio.root, "live", (1.0, 0.5))
    made_up_run(studio.root, "older", (2.0, 1.5, 1.0))
    (folder / "health.jsonl").write_text(
        json.dumps({"iteration": 20, "verdicts": ["the fakes are all alike"], "open": {"c": "the fakes are all alike"}})
        + "\n"
    )
    for number in (10, 20):
        write_image(folder / f"samples/iter_{number}.png", np.full((16, 16, 3), number, np.uint8))
    studio.studio.finder._at = -10
    page = opened("watch")
    page.get_by_label("Run", exact=True).select_option("work_dirs/live")
    wait_for(lambda: "20 of 100" in page.locator(".facts").inner_text())
    assert "4 s" not in page.locator(".facts").inner_text() and "8.0 images/s" in page.locator(".facts").inner_text()
    assert page.locator(".remark").inner_text() == "the fakes are all alike"
    assert (
        page.locator("pre", has_text="--resume").inner_text().startswith("gan-toolbox train work_dirs/live/config.yaml")
    )
    scrub = page.get_by_label("which sheet of samples")
    assert scrub.input_value() == "1" and page.locator(".sheet").get_attribute("alt") == "samples at iteration 20"
    scrub.press("Home")
    assert page.locator(".sheet").get_attribute("alt") == "samples at iteration 10"
    page.get_by_label("Laid over it").select_option("work_dirs/older")
    wait_for(lambda: page.locator("svg .line").count() == 2)
    before = page.locator("svg .line path").first.get_attribute("d")
    step(folder, 30, g__pixel=0.25, time=0.5)
    wait_for(lambda: "30 of 100" in page.locator(".facts").inner_text(), 60)
    wait_for(lambda: page.locator("svg .line path").first.get_attribute("d") != before, 60)


def test_votes_are_cast_by_keys_and_counted_with_an_interval(
    opened: Open, studio: Served, files: dict[str, Path]
) -> None:
    page = opened()
    add(page, files["one.png"], files["two.jpg"], files["three.webp"])
    page.get_by_role("link", name="Compare").click()
    page.get_by_label("One", exact=True).select_option("enlarge-x4 ×4")
    page.get_by_label("The other", exact=True).select_option("enlarge-x2 ×2")
    page.get_by_role("button", name="Compare on 3 pictures").click()
    for number, key in enumerate(("ArrowLeft", "ArrowRight", "ArrowDown"), 1):
        page.get_by_text(f"{number} of 3").wait_for()
        page.get_by_alt_text("picture A").wait_for()
        assert "enlarge" not in page.locator(".pair").inner_html()
        page.keyboard.press(key)
    said = page.locator(".result").inner_text()
    assert re.fullmatch(
        r"enlarge-x4 was preferred to enlarge-x2 in [012] of 2, "
        r"(0 % \[0 %, 66 %\]|50 % \[9 %, 91 %\]|100 % \[34 %, 100 %\]); "
        r"1 could not be told apart: too few votes, or no difference\.",
        said,
    )
    assert len((studio.root / "work_dirs/studio/votes.jsonl").read_text().splitlines()) == 3
    page.get_by_text("All votes so far").wait_for()
