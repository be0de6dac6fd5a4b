"""A log shows that long work goes on."""

from __future__ import annotations

from toolbox.io.progress import ProgressLines, forecast, hours


def test_a_line_comes_every_so_often_and_says_what_is_left() -> None:
    now, said = [0.0], []
    tell = ProgressLines("infer", said.append, lambda: now[0])
    for now[0], part in ((1, 0.01), (10, 0.1), (20, 0.2), (39, 0.3), (40, 0.4), (90, 0.5), (7_200, 0.51)):
        tell(part)
    lines = ["10%, 2 min", "40%, 60 s", "50%, 2 min", "51%, 1.9 h"]
    assert said == [f"infer: {line} left" for line in lines]


def test_short_work_says_nothing() -> None:
    now, said = [0.0], []
    tell = ProgressLines("infer", said.append, lambda: now[0])
    for now[0] in range(10):
        tell(now[0] / 10)
    assert not said


def test_more_than_a_day_is_told_as_what_it_is() -> None:
    assert [hours(seconds) for seconds in (0.9, 3599, 27 * 3600 + 249)] == ["0:00:00", "0:59:59", "27:04:09"]


def test_a_forecast_has_the_whole_and_what_it_is_made_of() -> None:
    assert forecast(1_200, 0.4) == "about 8 min on this machine: 1,200 iterations of 0.4 s"
    assert forecast(20, 2.34) == "about 47 s on this machine: 20 iterations of 2.3 s"
    assert forecast(1_000, 12.6) == "about 3.5 h on this machine: 1,000 iterations of 13 s"
