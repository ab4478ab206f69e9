"""The page holds what was said, runs nothing but its own script, and stays small."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import markupsafe

from automl.files import read_json, write_json
from automl.report.blocks import Chart, Document, Paragraph, Section, Series
from automl.report.html import embed_json, render_html
from automl.report.text import clean
from automl.report.write import write_report
from automl.run import Run
from tests.golden.runs import write_full_run

ATTACK = "<script>alert(1)</script>"
ATTACKS = (
    ATTACK,
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</script><script>alert(1)</script>",
    "</title></svg><svg onload=alert(1)>",
    "{{ 7*7 }}{% raw %}",
    "javascript:alert(1)",
    "]]><!--",
)


class Elements(HTMLParser):
    """Elements with their attributes, and the text of scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            self.scripts.append(data)


def replace_texts(value: Any, old: str, new: str) -> Any:
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, list):
        return [replace_texts(item, old, new) for item in value]
    if isinstance(value, dict):
        return {key: replace_texts(item, old, new) for key, item in value.items()}
    return value


def attacked_run(folder: Path, attack: str) -> Run:
    """A full run whose target, column, class and model names, reasons and file name are an attack."""
    run = write_full_run(folder)
    for path in (run.record_path, run.profile_path, run.evaluation_path, run.path / "leaderboard.json"):
        record = read_json(path)
        for word in ("churn", "plan", "yes", "xgboost", "different"):
            record = replace_texts(record, word, attack)
        write_json(path, record)
    lines = (run.search / "trials.jsonl").read_text().replace("clearly worse", json.dumps(attack)[1:-1])
    (run.search / "trials.jsonl").write_text(lines.replace("no end after", json.dumps(attack)[1:-1]))
    return run


def test_data_is_never_markup(tmp_path: Path) -> None:
    for index, attack in enumerate(ATTACKS):
        page = write_report(attacked_run(tmp_path / str(index), attack)).read_text(encoding="utf-8")
        elements = Elements(page)
        assert [tag for tag, _ in elements.found].count("script") == 2
        assert not {"img", "iframe", "object", "embed", "link", "base", "form"} & {tag for tag, _ in elements.found}
        names = {name for _, attributes in elements.found for name in attributes}
        assert not [name for name in names if name.startswith("on")]
        assert str(markupsafe.escape(attack)) in page


def test_an_attack_is_shown_as_text(tmp_path: Path) -> None:
    page = write_report(attacked_run(tmp_path / "run", ATTACK)).read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert ATTACK not in page


def test_only_our_script_is_allowed_and_nothing_is_loaded(tmp_path: Path) -> None:
    page = write_report(write_full_run(tmp_path / "run")).read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    script = Elements(page).scripts[-1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert "default-src 'none'" in policy[1]
    assert f"script-src 'sha256-{digest}'" in policy[1]
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", page)
    assert "url(http" not in page


def test_json_twin_equals_report_json(tmp_path: Path) -> None:
    run = attacked_run(tmp_path / "run", "</script>\u2028&")
    page = write_report(run).read_text(encoding="utf-8")
    twin = re.search(r'<script type="application/json" id="report">(.*?)</script>', page, re.S)
    assert twin is not None
    assert json.loads(twin[1]) == read_json(run.report_json_path)


def test_embedded_json_has_no_sign_that_html_reads() -> None:
    text = str(embed_json({"a": "<b>&\u2028\u2029"}))
    assert text == '{"a":"\\u003cb\\u003e\\u0026\\u2028\\u2029"}'


def test_a_usual_run_stays_below_500_kilobytes(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    record = read_json(run.profile_path)
    column = record["profile"]["columns"][0]
    record["profile"]["columns"] = [{**column, "name": f"column {number}"} for number in range(60)]
    write_json(run.profile_path, record)
    trial = {"candidate": "xgboost", "status": "ok", "seconds": 1.0, "params": {"max_depth": 6}}
    trials = [{**trial, "trial": n, "score": 0.8 + n / 1e4, "finished": 0.5 * n} for n in range(300)]
    (run.search / "trials.jsonl").write_text("".join(json.dumps(one) + "\n" for one in trials))
    board = read_json(run.path / "leaderboard.json")
    board["models"] = [{**board["models"][1], "rank": n + 1} for n in range(300)]
    write_json(run.path / "leaderboard.json", board)
    assert write_report(run).stat().st_size < 500_000


def test_ten_thousand_columns_stay_below_a_megabyte(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    record = read_json(run.profile_path)
    column = record["profile"]["columns"][0]
    record["profile"]["columns"] = [{**column, "name": f"column {number}"} for number in range(10_000)]
    record["notices"] = [{"topic": "columns", "text": f"dropped {n}", "reason": "constant"} for n in range(10_000)]
    write_json(run.profile_path, record)
    assert write_report(run).stat().st_size < 1_000_000


def test_figures_stand_in_a_table_under_a_chart() -> None:
    series = Series(name="importance", x=("age", "plan"), y=(0.25, 0.125), low=(0.2, 0.1), high=(0.3, 0.15))
    chart = Chart(kind="bar", title="T", x_label="column", y_label="loss", series=(series,))
    page = render_html(Document(title="t", subtitle="", sections=(Section(name="s", title="S", blocks=(chart,)),)))
    details = page[page.index("<details>") : page.index("</details>")]
    for figure in ("age", "0.25", "0.2", "0.3", "plan", "0.125", "0.1", "0.15"):
        assert f">{figure}</td>" in details
    assert page.count("<svg") == 2
    assert page.count("<desc") == 2


def test_half_a_surrogate_pair_and_an_escape_do_not_reach_the_file(tmp_path: Path) -> None:
    text = "a\ud800b\x1b[31mc\u202ed"
    document = clean(Document(title=text, subtitle="", sections=()))
    assert document.title == "ab[31mcd"
    run = Run.create(tmp_path / "run", data_name="x", record={})
    run.update(status="failed", error="a\x1b]0;title\x07b")
    assert "\x1b" not in write_report(run).read_text(encoding="utf-8")


def test_figures_that_are_not_finite_become_nothing() -> None:
    series = Series(name="s", x=(0.0, 1.0, 2.0), y=(0.5, float("nan"), 0.7))
    chart = Chart(kind="line", title="T", x_label="x", y_label="y", series=(series,))
    document = clean(Document(title="t", subtitle="", sections=(Section(name="s", title="S", blocks=(chart,)),)))
    page = render_html(document)
    assert "nan" not in page.split("<svg")[1].lower().split("</svg>")[0]
    assert json.dumps(document.to_json(), allow_nan=False)


def test_paragraphs_keep_their_tone() -> None:
    section = Section(name="s", title="S", blocks=(Paragraph(text="Beware", tone="bad"),))
    assert '<p class="text tone-bad">Beware</p>' in render_html(Document(title="t", subtitle="", sections=(section,)))
