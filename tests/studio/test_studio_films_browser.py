"""Films in a browser without a window: dropped, made, looked at in step under the divider, and downloaded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import av
from pages import Open, add
from served import SOON, Served, wait_for

from video_clips import clip


def made(page: Any, count: int = 1) -> None:
    page.get_by_role("radio", name="enlarge-x2").check()
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("link", name="Download").wait_for(timeout=90_000)
    wait_for(lambda: page.locator(".viewer video").count() == 2)


def times(page: Any) -> list[float]:
    return page.evaluate("[...document.querySelectorAll('.viewer video')].map((each) => each.currentTime)")


def test_a_film_goes_up_plays_in_step_with_its_result_and_comes_down(opened: Open, tmp_path: Path) -> None:
    page = opened()
    source = clip(tmp_path / "seconds.mp4", frames=48, size=(48, 32))
    add(page, source)
    wait_for(lambda: page.locator(".command pre").inner_text() == "gan-toolbox infer seconds.mp4 --weights enlarge-x4")
    assert "48 × 32 pixels, 48 frames, 24 a second" in page.locator(".under .note").inner_text()
    page.get_by_label("films' steadiness").evaluate("each => each.closest('details').open = true")
    page.get_by_label("films' steadiness").fill("0.5")
    wait_for(lambda: page.locator(".command pre").inner_text().endswith("--temporal 0.5"))
    made(page)
    wait_for(lambda: page.locator(".viewer video").first.evaluate("each => each.videoWidth") == 96)
    assert page.locator(".viewer video").nth(1).evaluate("each => each.videoWidth") == 48
    split = page.get_by_label("how much of the left picture is shown")
    split.press("Home")
    assert page.locator(".viewer video").nth(1).evaluate("each => each.style.clipPath").startswith("inset(0px 96px")
    page.locator(".viewer").press(" ")
    wait_for(lambda: min(times(page)) > 0.3)
    left, right = times(page)
    assert abs(left - right) < 0.25, "while they play"
    page.get_by_role("button", name="pause").click()
    wait_for(lambda: times(page)[0] == times(page)[1])
    page.get_by_label("time in the film").fill("1")
    assert times(page) == [1, 1]
    page.get_by_role("button", name="play", exact=True).click()
    page.get_by_role("link", name="Watch").click()
    wait_for(lambda: page.evaluate("[...document.querySelectorAll('.viewer video')].every((each) => each.paused)"))
    page.get_by_role("link", name="Use").click()
    with page.expect_download() as coming:
        page.get_by_role("link", name="Download").click()
    assert coming.value.suggested_filename == "seconds_enlarge-x2.mp4"
    with av.open(str(coming.value.path())) as result:
        stream = result.streams.video[0]
        assert (stream.width, stream.height, stream.frames) == (96, 64, 48)


def test_a_browser_that_does_not_play_a_film_shows_its_first_frame_and_says_why(opened: Open, film: Path) -> None:
    page = opened()
    page.route("**/shown?*", lambda route: route.fulfill(body=b"no film", content_type="video/mp4"))
    add(page, film)
    page.get_by_role("radio", name="enlarge-x2").check()
    page.get_by_role("button", name="Apply").click()
    page.get_by_text("This browser does not play the film").wait_for(timeout=90_000)
    page.get_by_text("12 frames").wait_for()
    shown = page.locator(".viewer > img")
    assert shown.first.get_attribute("src").split("?")[0].endswith("/poster")
    assert shown.first.evaluate("each => each.naturalWidth") == 96


def test_a_film_tells_its_frames_and_stops(opened: Open, studio: Served, long_film: Path) -> None:
    page = opened(width=390)
    add(page, long_film)
    page.get_by_role("radio", name="enlarge-x2").check()
    page.get_by_role("button", name="Apply").click()
    page.get_by_text("of 2,000 frames").wait_for(timeout=60_000)
    wait_for(lambda: "left" in page.get_by_role("status").filter(has_text="2,000").inner_text(), 60)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.get_by_role("button", name="Stop").click()
    wait_for(lambda: studio.studio.worker.current is None, SOON)
    wait_for(lambda: page.locator(".strip-list .state").all_inner_texts() == ["stopped"])


def test_two_networks_are_compared_on_a_film_that_plays_in_step(opened: Open, studio: Served, tmp_path: Path) -> None:
    page = opened(width=390)
    add(page, clip(tmp_path / "voted.mp4", frames=96, size=(48, 32)))
    page.get_by_role("link", name="Compare").click()
    page.get_by_label("One", exact=True).select_option("enlarge-x4 ×4")
    page.get_by_label("The other", exact=True).select_option("enlarge-x2 ×2")
    page.get_by_label("seconds of each film").fill("1")
    page.get_by_role("button", name="Compare on 1 film").click()
    page.get_by_label("how much of both is made").wait_for()
    page.get_by_label("film A").wait_for(timeout=120_000)
    films = "[...document.querySelectorAll('.pair video')]"
    wait_for(lambda: page.evaluate(f"{films}.every((each) => !each.paused && each.currentTime > 0.2)"))
    assert "enlarge" not in page.locator(".pair").inner_html()
    left, right = page.evaluate(f"{films}.map((each) => each.currentTime)")
    assert abs(left - right) < 0.1
    page.keyboard.press(" ")
    wait_for(lambda: page.evaluate(f"{films}.every((each) => each.paused)"))
    page.get_by_role("slider", name="time in the film").press("End")
    wait_for(lambda: page.evaluate(f"{films}.every((each) => each.currentTime > 0.9)"))
    page.get_by_role("button", name="Closer").click()
    assert page.evaluate(f"{films}.every((each) => each.style.transform.startsWith('scale('))")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.get_by_role("button", name="Cannot tell").click()
    assert page.locator(".result").inner_text() == "enlarge-x4 and enlarge-x2 were not told apart in any of 1."
    kept = (studio.root / "work_dirs/studio/votes.jsonl").read_text()
    assert '"from": 1.5, "to": 2.5' in kept


def test_a_film_that_was_stopped_is_gone_on_with_by_a_button(opened: Open, tmp_path: Path) -> None:
    page = opened()
    add(page, clip(tmp_path / "halved.mp4", frames=320, size=(32, 24)))
    page.get_by_role("radio", name="enlarge-x2").check()
    page.get_by_role("button", name="Apply").click()

    def frames() -> int:
        said = page.get_by_role("status").filter(has_text="of 320 frames").all_inner_texts()
        found = re.search(r"(\d+) of 320 frames", said[0] if said else "")
        return int(found[1]) if found else 0

    wait_for(lambda: frames() >= 100, 120)
    page.get_by_role("button", name="Stop").click()
    more = page.get_by_role("button", name="Continue from frame")
    more.wait_for()
    assert more.inner_text() in (f"Continue from frame {count}" for count in (96, 192, 288))
    more.click()
    page.get_by_role("link", name="Download").wait_for(timeout=120_000)
    assert more.count() == 0 and "goes on from frame" in page.locator(".under .note").inner_text()
