"""The benchmark's page in a browser: it sorts, filters, slides and leads from points to rows, and asks for nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_up_report import HOSTILE, made_up_report, with_pictures

Open = Callable[..., Any]


def order(page: Any) -> list[str]:
    """The cells that the first table shows, from above."""
    return page.locator("#table-0 tbody:not(.idle) .open:visible").all_inner_texts()


def ranking(report: dict[str, Any], value: Callable[[Any], Any], *, reverse: bool = False) -> list[str]:
    """The cells' names in the order of a value, those without one last."""
    cells = report["tables"][0]["cells"]
    some = sorted((cell for cell in cells if value(cell) is not None), key=value, reverse=reverse)
    return [cell["id"] for cell in [*some, *(cell for cell in cells if value(cell) is None)]]


def header(page: Any, name: str) -> Any:
    return page.locator("#table-0 thead th", has_text=name)


def test_the_best_come_first_and_a_header_sorts_both_ways(opened: Open) -> None:
    report = made_up_report()
    page = opened(report)

    def psnr(cell: Any) -> float:
        return cell["metrics"]["psnr"]["mean"]

    assert order(page) == ranking(report, lambda cell: cell["metrics"]["lite0_distance"]["mean"])
    assert header(page, "lite0").get_attribute("aria-sort") == "ascending"
    header(page, "psnr").locator("button").click()
    assert order(page) == ranking(report, psnr)
    assert header(page, "psnr").get_attribute("aria-sort") == "ascending"
    assert header(page, "lite0").get_attribute("aria-sort") == "none"
    header(page, "psnr").locator("button").press("Enter")
    assert order(page) == ranking(report, psnr, reverse=True)
    assert header(page, "psnr").get_attribute("aria-sort") == "descending"


def test_numbers_sort_as_numbers_and_what_is_not_known_comes_last_both_ways(opened: Open) -> None:
    report = made_up_report()
    page = opened(report)
    for name, cost in (("parameters", "parameters"), ("training step", "step_seconds")):
        for reverse in (False, True):
            header(page, name).locator("button").click()
            assert order(page) == ranking(report, lambda cell, cost=cost: cell["costs"][cost], reverse=reverse)


def test_the_filter_wants_all_words_and_each_axis_has_a_choice(opened: Open) -> None:
    page = opened(made_up_report())
    page.locator("input[type=search]").fill("PATCH ls")
    assert order(page) == ["LSGAN / patch"]
    assert page.locator("output.count").inner_text() == "1 of 12 cells"
    page.locator("input[type=search]").fill("")
    page.get_by_label("discriminator").select_option("unet")
    assert sorted(order(page)) == sorted(["Vanilla / unet", "LSGAN / unet", "Hinge / unet", f"{HOSTILE} / unet"])
    page.get_by_label("variant").select_option(HOSTILE)
    assert order(page) == [f"{HOSTILE} / unet"]
    header(page, "psnr").locator("button").click()
    assert order(page) == [f"{HOSTILE} / unet"]


def test_a_cell_shows_mean_interval_and_difference_and_the_best_in_bold(opened: Open) -> None:
    page = opened(made_up_report())
    row = page.locator("#table-0 tr", has=page.get_by_role("button", name="LSGAN / patch"))
    assert row.locator("td").first.inner_text() == "30.00 [29.40, 30.60]\n+0.20 [0.10, 0.30]"
    assert row.locator("b").count() == 2 and row.locator(".star").count() == 1
    assert page.locator("#table-0 tbody b").count() == 2
    noisy = page.locator("#table-0 tr", has=page.get_by_role("button", name="Vanilla / unet")).locator("td").first
    assert noisy.locator(".difference.noise").inner_text() == "−0.03 [−0.13, 0.07] within noise"
    assert page.locator("#table-0 .idle td").first.inner_text() == "28.50"
    assert page.locator("#table-0 tr", has_text="1 failed").locator(".open").inner_text() == f"{HOSTILE} / multi-scale"


def test_the_sentence_names_the_best_and_those_not_told_apart_from_it(opened: Open) -> None:
    report = made_up_report(("Vanilla", "LSGAN"), ("patch", "unet"))
    bounds = {"Vanilla / patch": (0.30, 0.29, 0.31), "Vanilla / unet": (0.32, 0.305, 0.335)}
    for cell in report["tables"][0]["cells"]:
        mean, low, high = bounds.get(cell["id"], (0.5, 0.45, 0.55))
        cell["metrics"]["lite0_distance"].update(mean=mean, low=low, high=high)
    report["tables"][0]["do_nothing"] = {"lite0_distance": 0.45}
    said = opened(report).locator(".verdict").inner_text()
    assert said == (
        "Vanilla / patch has the best mean lite0_distance (lower is better): 0.3000 [0.2900, 0.3100]; not told apart "
        "from it, their intervals overlap: Vanilla / unet. Doing nothing gives 0.4500: 2 of 4 cells are no better."
    )


def test_a_row_opens_its_runs_with_what_they_are_from(opened: Open) -> None:
    report = made_up_report()
    page = opened(report)
    page.get_by_role("button", name=f"{HOSTILE} / multi-scale").first.press("Enter")
    traces = page.locator(".detail .trace")
    assert traces.count() == 4  # three seeds, and the run that failed
    traces.first.locator("summary", has_text="Config").click()
    key = report["tables"][0]["cells"][-1]["runs"][0]
    assert f"runs/{key}" in traces.first.inner_text() and "</script>" in traces.first.locator("pre").first.inner_text()
    assert "failed" in traces.last.inner_text()
    page.locator(".endings", has_text="RuntimeError").locator("summary").first.click()
    assert "runs/dead" in page.locator(".endings", has_text="RuntimeError").inner_text()


def test_names_that_look_like_html_stay_text(opened: Open) -> None:
    report = made_up_report()
    page = opened(report)
    assert page.title() == report["title"]
    assert page.locator("h1").inner_text() == report["title"]
    assert page.locator("img, script[src]").count() == 0
    assert page.locator("script").count() == 2
    assert page.locator(".endings", has_text="a rule said").locator("li").inner_text().startswith(f"{HOSTILE} / pixel")


def test_the_slider_moves_by_keys_and_by_the_pointer(opened: Open, tmp_path: Path) -> None:
    page = opened(with_pictures(made_up_report(), tmp_path))
    cover, box = page.locator(".compare .before"), page.locator(".compare")

    def shown() -> float:
        return 100 - float(cover.evaluate("image => image.style.clipPath").split()[1].rstrip("%"))

    assert shown() == 50
    page.locator(".slider input").press("End")
    assert shown() == 100
    page.locator(".slider input").press("Home")
    assert shown() == 0
    place = box.bounding_box()
    box.click(position={"x": 0.25 * place["width"], "y": 9})
    assert abs(shown() - 25) < 1


def test_two_versions_are_stacked_at_one_size_and_small_ones_show_their_pixels(opened: Open, tmp_path: Path) -> None:
    page = opened(with_pictures(made_up_report(), tmp_path))
    page.wait_for_selector(".compare .rough")
    low, high = page.locator(".compare .before").bounding_box(), page.locator(".compare img").first.bounding_box()
    assert low == high
    assert page.locator(".compare .rough").get_attribute("alt") == "input"
    page.get_by_label("Right", exact=True).select_option("Hinge / unet")
    page.get_by_label("Picture").select_option(HOSTILE)
    assert page.locator(".captions").inner_text().split("\n") == ["input", "Hinge / unet"]
    page.locator(".strip button", has_text="reference").click()
    assert page.locator(".captions span").last.inner_text() == "reference"
    assert page.locator(".strip img").count() == 2 + 12
    assert "missing" in page.locator(".strip button", has_text="bicubic").inner_text()


def test_a_point_of_the_plot_leads_to_its_row(opened: Open) -> None:
    page = opened(made_up_report())
    point = page.locator(".point", has=page.locator("title", has_text="Hinge / patch"))
    point.press("Enter")
    assert page.locator("tr.lit .open").inner_text() == "Hinge / patch"
    page.get_by_label("Cost").select_option("throughput at 128², images/s")
    page.locator(".point.front circle").first.click()
    assert page.locator("tr.lit").count() == 1
    assert page.locator(".point").count() == 12


def test_the_front_of_the_plot_is_that_of_the_chosen_metric_and_cost(opened: Open) -> None:
    report = made_up_report(("a", "b", "c"), ("x",))
    for cell, (psnr, parameters) in zip(report["tables"][0]["cells"], ((20, 10), (30, 20), (25, 500)), strict=True):
        cell["metrics"]["psnr"].update(mean=psnr, low=psnr - 1, high=psnr + 1)
        cell["costs"]["parameters"] = parameters
    page = opened(report)
    page.get_by_label("Quality").select_option("psnr")
    page.get_by_label("Cost").select_option("parameters")
    titles = [text.split(" / ")[0] for text in page.locator(".point.front title").all_text_contents()]
    assert titles == ["a", "b"]
    assert "log scale" in page.locator(".tradeoff svg").inner_html()


def test_effects_within_the_noise_are_grey_and_say_so(opened: Open) -> None:
    page = opened(made_up_report())
    variants = page.locator(".effect").first.locator("li:not(.direction)")
    assert [each.get_attribute("class") for each in variants.all()] == ["bad", "bad", "noise", "good"]
    assert "within noise" in variants.nth(2).inner_text() and "better" in variants.nth(3).inner_text()
    page.get_by_label("Metric").select_option("psnr")
    assert page.locator(".effect").first.locator("li").first.get_attribute("class") == "good"


def test_curves_show_a_line_for_each_seed_of_the_chosen_cells(opened: Open) -> None:
    page = opened(made_up_report())
    lines = page.locator(".curves .line")
    assert lines.count() == 6 * 3
    page.get_by_role("button", name="none").click()
    assert lines.count() == 0
    page.get_by_role("checkbox", name="Hinge / unet", exact=True).check()
    page.get_by_label("Curve", exact=True).select_option("g/pixel")
    page.get_by_label("log scale").check()
    assert lines.count() == 3
    assert lines.first.locator("title").text_content().startswith("Hinge / unet, seed 0: g/pixel")


def test_on_a_telephone_nothing_is_wider_than_the_screen(opened: Open, tmp_path: Path) -> None:
    page = opened(with_pictures(made_up_report(), tmp_path), width=400)
    page.locator(".open").first.click()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    rights = page.locator("section > *").evaluate_all("all => all.map(each => each.getBoundingClientRect().right)")
    assert max(rights) <= 400


def test_sixty_cells_of_three_seeds_open(opened: Open) -> None:
    variants, others = tuple(f"V{k}" for k in range(12)), tuple(f"D{k}" for k in range(5))
    page = opened(made_up_report(variants, others))
    assert len(order(page)) == 60
    page.get_by_role("button", name="all", exact=True).click()
    assert page.locator(".curves .line").count() == 180


def test_tables_that_must_not_be_compared_stand_apart(opened: Open) -> None:
    page = opened(made_up_report(("Vanilla", "LSGAN"), ("patch",), tables=2))
    assert page.locator("section table").count() == 2
    page.locator("#table-1 .point").first.press(" ")
    assert page.locator("#table-1 tr.lit").count() == 1 and page.locator("#table-0 tr.lit").count() == 0
    page.locator("input[type=search]").fill("lsgan")
    assert page.locator("tbody:not(.idle) .open:visible").all_inner_texts() == ["LSGAN / patch"] * 2


def bare(report: dict[str, Any]) -> dict[str, Any]:
    """Without all that may be missing, one cell without any number."""
    report.update(versions={}, description="", baseline=None, notes=[], cut=[], failures=[], refused=[])
    for table in report["tables"]:
        table.update(effects={}, do_nothing={}, protocols={}, title="")
        cell = table["cells"][-1]
        cell.update(metrics={}, costs={}, runs=[], health={})
    for run in report["runs"].values():
        run.update(curves={}, config="", log="")
    return report


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (
            made_up_report(seeds=(0,)),
            "so whether it differs from the other 11 cells is not known",
        ),
        (made_up_report(("Vanilla", "LSGAN"), ("patch",)), "has the best mean"),
        (made_up_report(("Vanilla",), ("patch",)), "it is the only cell"),
        (bare(made_up_report()), "has the best mean"),
        (bare(made_up_report(("Vanilla",), ("patch",))), "No run of this table has a value to rank by."),
        ({**made_up_report(), "tables": []}, "No run is done"),
        ({**made_up_report(), "tables": [], "rank_by": None, "metrics": {}, "costs": {}, "runs": {}}, "No run is done"),
    ],
    ids=["one seed", "one axis", "one cell", "bare", "no number", "no table", "nothing"],
)
def test_what_is_missing_is_said_and_stops_nothing(opened: Open, report: dict[str, Any], words: str) -> None:
    page = opened(report)
    assert words in page.locator("#page").inner_text()
    for button in page.locator(".open").all()[:2]:
        button.click()


def test_a_network_s_name_is_not_broken_in_the_middle_of_the_word(opened: Open) -> None:
    name = "SRVGGNetCompactRecurrent"
    page = opened(made_up_report(variants=(name, "Vanilla")))
    page.set_viewport_size({"width": 700, "height": 800})
    lines = """([row, word]) => {
        const texts = document.createTreeWalker(row, NodeFilter.SHOW_TEXT), range = document.createRange();
        for (let text = texts.nextNode(); text; text = texts.nextNode()) {
            const at = text.data.indexOf(word);
            if (at < 0) continue;
            range.setStart(text, at);
            range.setEnd(text, at + word.length);
            return range.getClientRects().length;
        }
    }"""
    row = page.locator("#table-0 tbody:not(.idle) th[scope=row]", has_text=name).first.element_handle()
    assert page.evaluate(lines, [row, name]) == 1
