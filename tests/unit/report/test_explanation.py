"""What the sections on explanation, robustness and fairness say of studies made by hand."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from automl.files import read_json, write_json
from automl.report.blocks import Alert, Block, Chart, Document, Paragraph, Swarm, Table
from automl.report.charts import draw_chart
from automl.report.console import print_blocks
from automl.report.document import build_document, build_section
from automl.report.html import render_html
from automl.report.sections.explanation import describe_rule
from automl.report.sections.robustness import learning_blocks, verdict_on_rows
from automl.report.source import RunSource
from automl.report.swarm import draw_swarm
from automl.report.text import clean
from tests.golden.runs import write_full_run, write_regression_run
from tests.golden.studies import studies, write_studied_run

HOSTILE = "</script><script>alert(1)</script>\x1b[31m\u202e{{7*7}}=cmd()" + "x" * 300


def blocks(name: str, folder: Path) -> dict[str, Block]:
    section = build_section(name, RunSource(write_studied_run(folder / "run")))
    assert section is not None
    return {getattr(block, "title", "") or getattr(block, "caption", ""): block for block in section.blocks}


def test_the_explanation_has_all_its_parts(tmp_path: Path) -> None:
    found = blocks("explanation", tmp_path)
    bars, swarm = found["Shapley values: what moves predictions"], found["Shapley values: row by row"]
    assert isinstance(bars, Chart) and bars.series[0].y == (0.12, 0.05)
    assert "standard error of up to 0.02 a row" in bars.caption
    assert "120 rows that the models asked had not seen (fold 1)" in bars.caption
    assert isinstance(swarm, Swarm) and swarm.table().rows[0] == ("age", -0.1, 0.05, 0.2)
    rules = found["Rules that imitate the model"]
    assert isinstance(rules, Table)
    assert rules.rows[0] == (0.62, "40%", "age above 41.5 or missing")
    assert "follows 81% of the differences" in rules.note and "same class for 93%" in rules.note
    line = found["age: mean answer"]
    assert isinstance(line, Chart) and [series.mark for series in line.series] == ["", "rule", "rule"]


def test_rules_are_sentences() -> None:
    conditions = [{"column": "a", "test": "at most", "value": 1200.5}, {"column": "b", "test": "is not", "value": "x"}]
    assert describe_rule({"conditions": conditions}) == "a at most 1,200.5 and b is not “x”"
    assert describe_rule({"conditions": []}) == "always"


@pytest.mark.parametrize(
    ("gain", "low", "high", "answer"),
    [
        (0.03, 0.01, 0.05, "More rows would probably help."),
        (-0.02, -0.03, -0.01, "More rows of this kind did not help."),
        (0.01, -0.01, 0.03, "Whether more rows would help cannot be told from chance"),
        (0.01, -0.09, 0.11, "cannot be told: too few rows are scored"),
    ],
)
def test_the_learning_curve_answers_its_question(
    tmp_path: Path, gain: float, low: float, high: float, answer: str
) -> None:
    last = {"from_rows": 384, "to_rows": 960, "gain": gain, "low": low, "high": high}
    said = verdict_on_rows({"last_gain": last}, RunSource(write_full_run(tmp_path / "run")))
    assert answer in said.text
    assert "From 384 to 960 rows ROC AUC became better by" in said.text


def test_no_band_of_the_learning_curve_leaves_the_range_of_the_metric(tmp_path: Path) -> None:
    points = [
        {"rows": 50, "score": 0.9, "low": 0.75, "high": 1.079},
        {"rows": 90, "score": 0.1, "low": -0.2, "high": 1},
    ]
    found = learning_blocks({"model": "linear", "points": points}, RunSource(write_full_run(tmp_path / "run")))
    (chart,) = (block for block in found if isinstance(block, Chart))
    assert (chart.series[0].low, chart.series[0].high) == ((0.75, 0.0), (1.0, 1.0))


def test_intervals_that_count_rows_in_spite_of_groups_say_so(tmp_path: Path) -> None:
    points = [{"rows": 50, "score": 0.8, "low": 0.7, "high": 0.9}, {"rows": 90, "score": 0.8, "low": 0.7, "high": 0.9}]
    record = {"model": "linear", "points": points, "is_one_group": True}
    found = learning_blocks(record, RunSource(write_full_run(tmp_path / "run")))
    (chart,) = (block for block in found if isinstance(block, Chart))
    assert chart.caption.endswith("The rows scored are of one group, so that intervals count rows and not groups.")


def test_a_column_that_was_shuffled_once_has_a_bar_without_an_interval(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    evaluation = read_json(run.evaluation_path)
    evaluation["importance"][1] |= {"low": None, "high": None}
    write_json(run.evaluation_path, evaluation)
    section = build_section("importance", RunSource(run))
    assert section is not None
    (chart,) = (block for block in section.blocks if isinstance(block, Chart))
    assert (chart.series[0].low[:2], chart.series[0].high[:2]) == ((0.108, None), (0.134, None))
    assert "whisker" in str(draw_chart(chart, 600, "c"))


@pytest.mark.parametrize(
    ("members", "said"),
    [
        (["xgboost #3", "linear #2"], "one quick model, not the deployed ensemble."),
        (["xgboost #3"], "it is the deployed model, trained anew."),
        (["keras_mlp #4"], "one quick model, not the deployed one."),
    ],
)
def test_the_learning_curve_says_what_its_model_is_to_the_deployed_one(
    tmp_path: Path, members: list[str], said: str
) -> None:
    run = write_studied_run(tmp_path / "run")
    write_json(run.ensemble_path, {"members": [{"trial": at, "name": name} for at, name in enumerate(members)]})
    source = RunSource(run)
    (chart,) = (
        block for block in learning_blocks(source.studies["learning_curve"], source) if isinstance(block, Chart)
    )
    assert chart.caption.endswith(said)


@pytest.mark.parametrize("values", [[1.0, 2.0, 3.0], ["a", "b", "c"]])
def test_no_bound_of_a_mean_probability_leaves_0_to_1(tmp_path: Path, values: list[object]) -> None:
    entry = {"column": "age", "values": values, "mean": [0.01, 0.5, 0.99], "low": [-0.02, 0.4, 0.95]}
    entry |= {"high": [0.04, 0.6, 1.026], "lines": []}
    record = {"dependence": {"explained": "the answer", "rows": 9, "columns": [entry]}}
    ends = {}
    for name, write_run in (("classes", write_full_run), ("values", write_regression_run)):
        run = write_run(tmp_path / name)
        write_json(run.studies_path, record)
        section = build_section("explanation", RunSource(run))
        assert section is not None
        (chart,) = (block for block in section.blocks if isinstance(block, Chart))
        ends[name] = (chart.series[0].low[0], chart.series[0].high[2])
    assert ends == {"classes": (0.0, 1.0), "values": (-0.02, 1.026)}  # a value may be anything


def test_gaps_beyond_chance_are_an_alert_and_others_are_not(tmp_path: Path) -> None:
    found = blocks("fairness", tmp_path)
    alert = next(block for block in found.values() if isinstance(block, Alert))
    assert "selection rate by 0.2" in alert.text
    assert "calibration" not in alert.text
    groups = found["Groups of sex"]
    assert isinstance(groups, Table) and "Too small to be compared: x." in groups.note
    assert "out-of-fold" in groups.note
    cost = found["What a threshold for each group of sex would cost"]
    assert isinstance(cost, Table) and len(cost.rows) == 2


def test_groups_that_are_not_weighted_are_said_not_to_be(tmp_path: Path) -> None:
    run = write_studied_run(tmp_path / "run")
    run.recipe_path.write_text("data:\n  weight: times\n", encoding="utf-8")
    section = build_section("fairness", RunSource(run))
    assert section is not None
    (table,) = [b for b in section.blocks if isinstance(b, Table) and b.caption == "Groups of sex"]
    assert "Not weighted by “times”: every row counts the same." in table.note


def test_members_are_shown_from_fold_to_fold_as_they_are_judged(tmp_path: Path) -> None:
    run = write_studied_run(tmp_path / "run")
    path = run.search / "trials.jsonl"
    path.write_text(path.read_text().replace('"fold_scores": []', '"fold_scores": [0.4, 0.6, null]'))

    def show() -> list[tuple[object, ...]]:
        section = build_section("robustness", RunSource(run))
        assert section is not None
        tables = [b for b in section.blocks if isinstance(b, Table) and b.caption == "From fold to fold"]
        return [row for table in tables for row in table.rows]

    assert show() == [("xgboost #3", 0.4, 0.5, 0.6, 2), ("linear #2", 0.4, 0.5, 0.6, 2)]
    run.update(metric="log_loss")  # the workers scored what was not yet calibrated
    assert show() == []
    members = [{"trial": 3, "scores": [0.25, 0.75]}, {"trial": 2, "scores": None}]
    write_json(run.details_path, {"schema_version": 1, "skipped": [], "folds": {"members": members}})
    assert show() == [("xgboost #3", 0.25, 0.5, 0.75, 2)]


def test_what_time_did_not_allow_is_told_with_what_to_type(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    record = studies()
    late = {"skipped": {"shapley": "the time did not allow it", "stress": "the time did not allow it"}}
    write_json(run.studies_path, {name: part for name, part in record.items() if name not in late["skipped"]} | late)
    for name, missing in (("explanation", "Shapley values"), ("robustness", "missing columns and noise")):
        section = build_section(name, RunSource(run))
        assert section is not None
        last = section.blocks[-1]
        assert isinstance(last, Paragraph)
        assert f"{missing}. automl explain {run.path} --time 60s does." in last.text


def test_what_to_type_can_be_copied_though_the_path_has_a_space(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "my runs")
    write_json(run.studies_path, {"skipped": {"stress": "the time did not allow it"}})
    section = build_section("robustness", RunSource(run))
    assert section is not None
    (told,) = section.blocks
    assert isinstance(told, Paragraph) and f"automl explain '{run.path}' --time 60s does." in told.text


def test_a_study_that_failed_is_told_with_its_reason_and_not_as_one_that_was_late(tmp_path: Path) -> None:
    run = write_full_run(tmp_path / "run")
    slow = "TimeoutError: the model needs 900.0 ms a row, too long for 9.9 s"
    skipped = {"shapley": slow, "curve": "the time did not allow it", "surrogate": "ValueError: no rows"}
    write_json(run.studies_path, {"skipped": skipped})
    section = build_section("explanation", RunSource(run))
    assert section is not None
    failed, late = (block.text for block in section.blocks if isinstance(block, Paragraph))
    assert failed == "Not measured: rules that imitate the model (ValueError: no rows)."
    assert late.startswith(f"Not measured, as the time did not allow it: Shapley values ({slow}) and the curve of the")


def test_a_run_without_studies_has_no_such_sections(tmp_path: Path) -> None:
    source = RunSource(write_full_run(tmp_path / "run"))
    assert [build_section(name, source) for name in ("explanation", "robustness", "fairness")] == [None] * 3


def test_a_swarm_draws_every_point_inside_its_frame() -> None:
    swarm = Swarm(
        title="t", x_label="x", names=("one", "two"),
        values=((0.0,) * 60, (-1.0, 2.0)), shades=((0.9,) * 60, (None, 0.1)),
    )  # fmt: skip
    drawn = str(draw_swarm(swarm, 360, "id"))
    assert drawn.count("<circle") == 62
    xs = [float(x) for x in re.findall(r'cx="([\d.-]+)"', drawn)]
    ys = [float(y) for y in re.findall(r'cy="([\d.-]+)"', drawn)]
    assert min(xs) >= 0 and max(xs) <= 360
    assert min(ys) >= 0 and max(ys) <= 2 * 34 + 6
    assert drawn.count('class="dot1"') == 60


def test_hostile_names_are_text_on_every_look(tmp_path: Path) -> None:
    run = write_studied_run(tmp_path / "run", name=HOSTILE)
    page = render_html(build_document(run))
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "\u202e" not in page and "\x1b" not in page
    section = build_section("explanation", RunSource(run))
    assert section is not None
    stream = io.StringIO()
    from rich.console import Console

    print_blocks(section.blocks, Console(file=stream, width=80, highlight=False, markup=False))
    assert "\x1b" not in stream.getvalue()
    assert max(map(len, stream.getvalue().splitlines())) <= 80


def test_the_page_stays_small_with_a_full_swarm(tmp_path: Path) -> None:
    """Ten columns of 120 points in two widths."""
    swarm = Swarm(
        title="t", x_label="x", names=tuple(f"column {n}" for n in range(10)),
        values=tuple(tuple((n * 37 + at * 11) % 101 / 101 for at in range(120)) for n in range(10)),
        shades=tuple((0.5,) * 120 for _ in range(10)),
    )  # fmt: skip
    from automl.report.blocks import Section

    section = Section(name="explanation", title="x", blocks=(swarm,))
    assert len(render_html(clean(Document(title="t", subtitle="", sections=(section,))))) < 400_000
