"""The page in a real browser: quiet, alone, narrow enough, and moved by its reader."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from automl.files import read_json, write_json
from automl.pictures import encode_uri
from automl.report.write import write_report
from tests.browser.conftest import Page
from tests.golden.runs import (
    write_failed_run,
    write_full_run,
    write_interrupted_run,
    write_regression_run,
    write_single_run,
)

WRITERS = {
    "full": write_full_run,
    "regression": write_regression_run,
    "failed": write_failed_run,
    "interrupted": write_interrupted_run,
    "single": write_single_run,
}
OVERFLOW = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page of each kind of run."""
    folder = tmp_path_factory.mktemp("reports")
    return {name: write_report(write(folder / name)) for name, write in WRITERS.items()}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", sorted(WRITERS))
def test_it_loads_without_a_complaint_a_request_or_a_sideways_scroll(
    name: str, width: int, theme: str, reports: dict[str, Path], page: Page
) -> None:
    page.open(reports[name], width=width, theme=theme)
    assert page.run(OVERFLOW) == 0
    assert page.complaints() == []
    assert page.requests() == [reports[name].as_uri()]
    ground = page.run("return getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(14, 17, 22)" if theme == "dark" else "rgb(247, 248, 250)")


def test_the_theme_can_be_changed_and_is_remembered(reports: dict[str, Path], page: Page) -> None:
    page.open(reports["full"], theme="light")
    page.run("document.getElementById('theme').click()")
    assert page.run("return getComputedStyle(document.body).backgroundColor") == "rgb(14, 17, 22)"
    page.open(reports["full"], theme="light")
    assert page.run("return document.documentElement.dataset.theme") == "dark"
    page.run("document.getElementById('theme').click()")
    assert page.run("return getComputedStyle(document.body).backgroundColor") == "rgb(247, 248, 250)"


def test_a_click_on_a_heading_sorts_up_and_down(reports: dict[str, Path], page: Page) -> None:
    page.open(reports["full"])
    names = "return [...document.querySelectorAll('#leaderboard table tbody')][0].innerText.match(/(xgb|lin|dum|ens)/g)"
    click = "document.querySelectorAll('#leaderboard table')[0].tHead.rows[0].cells[2].querySelector('button').click()"
    assert page.run(names)[0] == "ens"
    page.run(click)
    assert page.run(names)[0] == "dum"
    page.run(click)
    assert page.run(names)[0] == "ens"


def test_a_long_table_can_be_filtered(tmp_path: Path, page: Page) -> None:
    from automl.files import read_json, write_json

    run = write_full_run(tmp_path / "run")
    record = read_json(run.profile_path)
    column = record["profile"]["columns"][0]
    record["profile"]["columns"] = [{**column, "name": f"column {number}"} for number in range(40)]
    write_json(run.profile_path, record)
    page.open(write_report(run))
    shown = """
        const field = document.querySelector("#data input.filter");
        field.value = arguments[0];
        field.dispatchEvent(new Event("input"));
        const rows = [...field.nextElementSibling.querySelector("tbody").rows];
        return rows.filter((row) => row.offsetParent !== null).length;
    """
    assert page.run(shown, "column 3") == 11  # 3 and 30 to 39
    assert page.run(shown, "") == 40


MOVE = """
    const figure = document.querySelector("[data-explorer]");
    const slider = figure.querySelector("input[type=range]");
    const [missing, alarm] = figure.querySelectorAll("input[type=number]");
    slider.value = arguments[0]; missing.value = arguments[1]; alarm.value = arguments[2];
    for (const input of [slider, missing, alarm]) input.dispatchEvent(new Event("input"));
    if (arguments[3]) figure.querySelector(".cheapest").click();
    return [figure.querySelector("output").textContent,
            [...figure.querySelectorAll(".tally b")].map((node) => node.textContent)];
"""


def test_the_threshold_explorer_counts_and_finds_the_cheapest(reports: dict[str, Path], page: Page) -> None:
    page.open(reports["full"])
    # 0.3: 240 of 300 found, 220 false alarms; each miss costs 5, each alarm 1: 60 * 5 + 220 = 520
    threshold, figures = page.run(MOVE, 1, 5, 1, False)
    assert threshold == "0.30"
    assert figures == ["240", "60", "220", "680", "52.2%", "80.0%", "520", "38.3%"]
    # costs 550, 520, 745, 1080, 1402 at 0.1, 0.3, 0.5, 0.7, 0.9
    assert page.run(MOVE, 4, 5, 1, True)[0] == "0.30"
    # a miss for 1, an alarm for 3: 1510, 720, 415, 300, 286
    assert page.run(MOVE, 0, 1, 3, True)[0] == "0.90"
    # a miss for 20, an alarm for 1: 700, 1420, …
    assert page.run(MOVE, 2, 20, 1, True)[0] == "0.10"
    assert page.complaints() == []


def test_everything_is_readable_without_scripts(reports: dict[str, Path], page: Page) -> None:
    page.open(reports["full"], scripts=False)
    text = page.driver.find_element("css selector", "main").text
    for words in ("Of 100 rows it has not seen", "ensemble of 2", "Where it errs most", "automl predict", "Precision"):
        assert words in text
    assert page.run("return document.querySelectorAll('.controls[hidden]').length") == 1


def test_a_tip_tells_the_figure_under_the_pointer(reports: dict[str, Path], page: Page) -> None:
    page.open(reports["full"])
    told = """
        const mark = document.querySelector("#importance .wide [data-tip]");
        mark.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX: 300, clientY: 300 }));
        return document.querySelector(".tip").textContent;
    """
    assert page.run(told) == "plan: 0.121 (0.108 to 0.134)"


def find_axe() -> Path | None:
    """axe-core, where AXE_CORE names its file or npm has put it below this checkout."""
    named = os.environ.get("AXE_CORE")
    places = [Path(named)] if named else []
    places.append(Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js")
    return next((path for path in places if path.is_file()), None)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["full", "regression", "failed"])
def test_axe_finds_nothing_serious(name: str, theme: str, reports: dict[str, Path], page: Page) -> None:
    axe = find_axe()
    if axe is None:
        pytest.skip("axe-core is not installed (npm install axe-core; or AXE_CORE=/path/to/axe.min.js)")
    page.open(reports[name], theme=theme)
    page.run("for (const box of document.querySelectorAll('details')) box.open = true")
    page.run(axe.read_text(encoding="utf-8"))
    page.driver.set_script_timeout(60)
    found = page.driver.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run(document, { resultTypes: ['violations'] }).then((result) => done(result.violations))"
    )
    grave = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in {"serious", "critical"}]
    assert grave == []


def test_pictures_that_were_asked_for_are_seen_and_nothing_else_may_be(tmp_path: Path, page: Page) -> None:
    run = write_full_run(tmp_path / "run")
    profile, evaluation = read_json(run.profile_path), read_json(run.evaluation_path)
    column = {**profile["profile"]["columns"][0], "name": "photo", "role": "image", "reason": "read as 8 x 8 grey"}
    profile["profile"]["columns"].append(column)
    picture = encode_uri(np.arange(64, dtype=np.uint8).reshape(8, 8, 1))
    evaluation["pictures"] = [
        {"true": "yes", "predicted": "no", "probability": 0.9, "picture": picture, "map": picture}
    ]
    write_json(run.profile_path, profile)
    write_json(run.evaluation_path, evaluation)
    written = write_report(run)
    page.open(written)
    assert page.run("return [...document.querySelectorAll('.album img')].map((image) => image.naturalWidth)") == [8, 8]
    assert page.complaints() == []
    assert {address.split(",")[0] for address in page.requests()} == {written.as_uri(), "data:image/png;base64"}
