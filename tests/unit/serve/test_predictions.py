"""What the server predicts is what `automl predict` predicts, however the rows come and whatever answers."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from automl.cli.main import run
from tests.unit.export.models import make_table
from tests.unit.serve.server import Server, serving


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "new.csv"
    make_table().drop(columns="bought").to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def expected(model: Path, table: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Of `automl predict --proba`: prediction, proba_no, proba_yes."""
    out = tmp_path_factory.mktemp("expected") / "predictions.csv"
    assert run(["predict", str(model), str(table), "--proba", "--out", str(out)]) == 0
    return pd.read_csv(out)


def check(answer: dict[str, Any], expected: pd.DataFrame) -> None:
    assert [one["prediction"] for one in answer["predictions"]] == expected.prediction.tolist()
    found = np.array([[one["probabilities"]["no"], one["probabilities"]["yes"]] for one in answer["predictions"]])
    assert np.abs(found - expected[["proba_no", "proba_yes"]].to_numpy()).max() < 2e-6


def test_json_rows_are_predicted_as_the_command_predicts(
    server: Server, rows: list[dict[str, Any]], expected: pd.DataFrame
) -> None:
    answer = server.client.post("/predict", json={"rows": rows})
    assert answer.status_code == 200
    check(answer.json(), expected)
    assert answer.headers["x-model-version"] == server.record["version"]


def test_csv_is_predicted_as_the_command_predicts(server: Server, table: Path, expected: pd.DataFrame) -> None:
    answer = server.client.post("/predict", content=table.read_bytes(), headers={"content-type": "text/csv"})
    check(answer.json(), expected)


def test_arrow_goes_in_and_comes_out(server: Server, expected: pd.DataFrame) -> None:
    frame = make_table().drop(columns="bought")
    frame["day"] = pd.to_datetime(frame["day"])
    given = pa.Table.from_pandas(frame, preserve_index=False)
    given = given.set_column(1, "city", given["city"].dictionary_encode())
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, given.schema) as writer:
        writer.write_table(given)
    kind = "application/vnd.apache.arrow.stream"
    answer = server.client.post(
        "/predict", content=sink.getvalue().to_pybytes(), headers={"content-type": kind, "accept": kind}
    )
    assert answer.status_code == 200, answer.text
    found = pa.ipc.open_stream(answer.content).read_all().to_pandas()
    assert found.columns.tolist() == ["prediction", "proba_no", "proba_yes"]
    assert found.prediction.tolist() == expected.prediction.tolist()
    assert np.abs(found.proba_yes - expected.proba_yes).max() < 2e-6


def test_csv_comes_out_where_it_is_asked_for(
    server: Server, rows: list[dict[str, Any]], expected: pd.DataFrame
) -> None:
    answer = server.client.post("/predict", json={"rows": rows[:3]}, headers={"accept": "text/csv"})
    found = pd.read_csv(io.StringIO(answer.text))
    assert found.columns.tolist() == ["prediction", "proba_no", "proba_yes"]
    assert found.prediction.tolist() == expected.prediction.tolist()[:3]


def test_columns_in_any_order_by_row_or_by_column_give_the_same_bytes(
    server: Server, rows: list[dict[str, Any]]
) -> None:
    backwards = [dict(reversed(row.items())) for row in rows[:4]]
    columns = {name: [row[name] for row in rows[:4]] for name in rows[0]}
    answers = {
        server.client.post("/predict", json=body).content
        for body in ({"rows": rows[:4]}, {"rows": backwards}, {"columns": columns}, rows[:4])
    }
    assert len(answers) == 1
    one = server.client.post("/predict", json=rows[0]).json()
    assert one["predictions"] == json.loads(answers.pop())["predictions"][:1]


def test_an_export_and_the_models_themselves_answer_alike(
    model: Path, export: Path, tmp_path: Path, rows: list[dict[str, Any]], expected: pd.DataFrame
) -> None:
    for folder, words, runtime in ((export, (), "onnx"), (model, ("--runtime", "automl"), "automl")):
        with serving(folder, tmp_path, *words) as other:
            assert other.record["runtime"] == runtime
            check(other.client.post("/predict", json={"rows": rows}).json(), expected)
            ids = {other.client.post("/predict", json={"rows": rows[:1]}).headers["x-model-version"]}
            assert ids == {other.record["version"]}


def test_odd_cells_are_predicted_and_told(server: Server, rows: list[dict[str, Any]]) -> None:
    before = server.metric("automl_unseen_values_total")
    odd = {**rows[0], "city": "Atlantis", "age": "forty", "account": 1e39, "colour": "red", "bought": "yes"}
    odd["day"] = "31.31.2024"
    answer = server.client.post("/predict", json={"rows": [odd, rows[1]]})
    assert answer.status_code == 200
    assert answer.json()["warnings"] == [
        "1 column(s) unknown to the model were ignored",
        "1 cell(s) of 'age' are no number and count as missing",
        "1 cell(s) of 'city' hold a value that training did not have",
        "1 cell(s) of 'day' are no date and count as missing",
        "1 cell(s) of 'account' are beyond 3.4e38 and count as missing",
    ]
    assert "Atlantis" not in answer.text
    assert server.metric("automl_unseen_values_total") == before + 1


def test_the_example_of_the_schema_is_predicted_and_is_no_row_of_the_data(
    server: Server, rows: list[dict[str, Any]]
) -> None:
    schema = server.client.get("/schema").json()
    assert [column["role"] for column in schema["columns"]] == ["number", "category", "category", "date", "number"]
    assert schema["classes"] == ["no", "yes"]
    assert schema["example"]["rows"][0] not in rows
    answer = server.client.post("/predict", json=schema["example"])
    assert answer.status_code == 200
    assert "warnings" not in answer.json()


def test_an_explanation_sums_to_the_prediction(server: Server, rows: list[dict[str, Any]]) -> None:
    answer = server.client.post("/explain", json={"rows": rows[:1]}).json()
    shares = server.client.post("/predict", json={"rows": rows[:1]}).json()["predictions"][0]["probabilities"]
    assert answer["class"] == "yes"
    assert answer["output"] == pytest.approx(shares["yes"], abs=2e-6)
    total = sum(entry["contribution"] for entry in answer["contributions"])
    assert total == pytest.approx(answer["output"] - answer["base"], abs=1e-5)
    assert {entry["column"] for entry in answer["contributions"]} == set(rows[0])
    other = server.client.post("/explain?class=no", json={"rows": rows[:1]}).json()
    assert other["output"] == pytest.approx(1 - answer["output"], abs=2e-6)
    assert server.client.post("/explain?class=maybe", json={"rows": rows[:1]}).status_code == 422
    assert server.client.post("/explain", json={"rows": rows[:2]}).status_code == 422


@pytest.mark.slow
def test_strict_refuses_what_is_else_only_told(model: Path, tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    with serving(model, tmp_path, "--strict", "--labels-only", "--runtime", "automl") as strict:
        fine = strict.client.post("/predict", json={"rows": rows[:1]})
        assert list(fine.json()["predictions"][0]) == ["prediction"]
        for change in ({"colour": "red"}, {"age": "forty"}, {"day": "soon"}):
            answer = strict.client.post("/predict", json={"rows": [{**rows[0], **change}]})
            assert answer.status_code == 422
            assert "red" not in answer.text and "forty" not in answer.text and "colour" not in answer.text
