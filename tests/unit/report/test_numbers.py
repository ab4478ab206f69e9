"""Every number on the page is one of report.json: as it stands there, rounded, or derived in a way said here."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from automl.files import read_json
from automl.report.write import write_report
from automl.run import Run
from tests.golden.runs import write_full_run, write_regression_run

NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?%?")
FIXED = {"95%"}  # "95% interval" is what the page itself says


class Texts(HTMLParser):
    """Texts of the page's body, those of axis ticks apart, and the figures that rows are sorted by."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.stack: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.sorts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("data-sort"):
            self.sorts.append(str(given["data-sort"]))
        if tag not in {"meta", "input", "br", "img", "link"}:
            self.stack.append((tag, given.get("class") or ""))

    def handle_endtag(self, tag: str) -> None:
        while self.stack and self.stack.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tags = [tag for tag, _ in self.stack]
        if "body" in tags and not {"script", "style"} & set(tags) and self.stack[-1][1] != "tick":
            self.texts.append(data)


def numbers_of(value: Any) -> Iterator[float]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)
    elif isinstance(value, dict):
        for item in value.values():
            yield from numbers_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from numbers_of(item)


def texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts_of(item)


def derived(record: dict[str, Any]) -> Iterator[float]:
    """What the page works out: shares of a confusion matrix, lengths of jobs, precision and recall of a threshold."""
    for section in record["sections"]:
        for block in section["blocks"]:
            if block["kind"] == "matrix":
                yield from (value / sum(row) for row in block["values"] for value in row)
            elif block["kind"] == "timeline":
                yield from (span["end"] - span["start"] for span in block["spans"])
            elif block["kind"] == "explorer":
                for hits, alarms in zip(block["hits"], block["alarms"], strict=True):
                    yield from (hits / (hits + alarms), hits / block["positives"], block["positives"] - hits)


def is_rounding(token: str, figure: float) -> bool:
    """Whether a number as it is written is this figure, to the digits it has."""
    share = token.endswith("%")
    plain = token.rstrip("%").replace(",", "")
    written = float(plain) / (100 if share else 1)
    if "e" in plain:
        return math.isclose(written, abs(figure), rel_tol=1e-2)
    digits = len(plain.partition(".")[2]) + (2 if share else 0)
    return abs(written - abs(figure)) <= 0.5000001 * 10.0**-digits


@pytest.mark.parametrize("write_run", [write_full_run, write_regression_run])
def test_every_number_of_the_page_is_one_of_the_twin(write_run: Callable[[Path], Run], tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    page = write_report(run).read_text(encoding="utf-8")
    record = read_json(run.report_json_path)
    figures = sorted({abs(figure) for figure in (*numbers_of(record), *derived(record))})
    told = {token for text in texts_of(record) for token in NUMBER.findall(text)}
    texts = Texts(page)
    tokens = {token for text in texts.texts for token in NUMBER.findall(text)} - FIXED - told
    strange = [token for token in tokens if not any(is_rounding(token, figure) for figure in figures)]
    assert strange == []
    assert len(tokens) > 20
    exact = {*numbers_of(record), *derived(record)}
    assert [figure for figure in texts.sorts if float(figure) not in exact] == []


@pytest.mark.parametrize("write_run", [write_full_run, write_regression_run])
def test_every_figure_of_a_table_or_chart_stands_on_the_page(write_run: Callable[[Path], Run], tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    page = write_report(run).read_text(encoding="utf-8")
    sorts = {float(figure) for figure in Texts(page).sorts}
    wanted: list[float] = []
    for section in read_json(run.report_json_path)["sections"]:
        for block in section["blocks"]:
            if block["kind"] == "table":
                wanted += [float(cell) for row in block["rows"] for cell in row if isinstance(cell, int | float)]
            for chart in [block] if block["kind"] == "chart" else block.get("charts", []):
                for series in chart["series"]:
                    wanted += [] if series["mark"] == "rule" else [float(y) for y in series["y"]]
    assert len(wanted) > 20
    assert [figure for figure in wanted if figure not in sorts] == []


def test_a_number_that_is_not_in_the_twin_would_be_found() -> None:
    assert not any(is_rounding("0.8472", figure) for figure in (0.84711, 0.8312))
    assert is_rounding("0.847", 0.8471)
    assert is_rounding("13%", 0.1333)
    assert is_rounding("1,200", 1200.0)
