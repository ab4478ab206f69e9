"""Files as people have them are read well, and what was guessed or changed is said."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.flow.command import SURVEY, Maker, Prepared, Tool, read_record
from tests.flow.conftest import write_recipe


def numbers_and_names(rows: int = 120) -> pd.DataFrame:
    """x (follows the label), city (with letters beyond ASCII), label."""
    rng = np.random.default_rng(6)
    code = np.arange(rows) % 2
    city = rng.choice(["Köln", "Málaga", "Łódź"], rows)
    label = np.array(["no", "yes"])[code]
    return pd.DataFrame({"x": (code + rng.normal(0, 0.4, rows)).round(3), "city": city, "label": label})


def plan(tool: Tool, table: Path) -> dict[str, dict[str, str]]:
    """Column → what `plan` says of it; "notices" → all that was guessed or changed."""
    result = tool("plan", table, "--target", "label", "--json")
    assert result.code == 0, result
    record = result.record
    assert record["rows"] == 120
    texts = " | ".join(f"{notice['text']} ({notice['reason']})" for notice in record["notices"])
    return {"notices": {"text": texts}} | {column["name"]: column for column in record["columns"]}


@pytest.mark.parametrize(("encoding", "said"), [("utf-32", "utf-32"), ("cp1252", "latin-1"), ("utf-8-sig", "")])
def test_western_encodings_are_told_apart(tool: Tool, encoding: str, said: str) -> None:
    frame = numbers_and_names()
    frame["city"] = frame.city.replace("Łódź", "São Paulo")
    table = tool.work / "table.csv"
    table.write_bytes(frame.to_csv(index=False).encode(encoding))
    columns = plan(tool, table)
    assert (columns["x"]["role"], columns["city"]["role"]) == ("number", "category")
    assert said in columns["notices"]["text"].lower()


def test_chinese_in_gbk_is_read_and_said(tool: Tool) -> None:
    cities = ["北京市朝阳区", "上海市浦东新区", "广州市天河区"]
    frame = numbers_and_names().assign(city=[cities[i % 3] for i in range(120)])
    table = tool.work / "table.csv"
    table.write_bytes(frame.rename(columns={"city": "城市"}).to_csv(index=False).encode("gbk"))
    columns = plan(tool, table)
    assert columns["城市"]["role"] == "category"
    assert "gb" in columns["notices"]["text"].lower()


@pytest.mark.parametrize("kind", ["gz", "zip"])
def test_compressed_files_are_opened(tool: Tool, kind: str) -> None:
    content = numbers_and_names().to_csv(index=False).encode()
    table = tool.work / f"table.csv.{kind}"
    if kind == "gz":
        table.write_bytes(gzip.compress(content))
    else:
        with zipfile.ZipFile(table, "w") as archive:
            archive.writestr("table.csv", content)
    assert plan(tool, table)["x"]["role"] == "number"


def trouble() -> pd.DataFrame:
    """What `make_trouble` makes of it is hard to read. The label is a truth value."""
    frame = numbers_and_names(240)
    return frame.assign(label=frame.label == "yes", nothing="", ratio=np.linspace(-1, 1, 240).round(3), constant="same")


def make_trouble(work: Path) -> tuple[str | Path, ...]:
    """UTF-16, semicolons, decimal commas, a column of nothing, an infinite value, a blank line."""
    lines = trouble().to_csv(index=False, sep=";", decimal=",").splitlines()
    lines[5] = lines[5].rsplit(";", 2)[0] + ";inf;same"
    (work / "trouble.csv").write_bytes(("\r\n".join(lines) + "\r\n\r\n").encode("utf-16"))
    short = ("--trials", "2", "--recipe", write_recipe(work, "linear"))
    return "fit", "trouble.csv", "--target", "label", *short, "--out", "trouble"


PREPARED: dict[str, Maker] = {"trouble": make_trouble}


def test_a_table_with_every_trouble_is_fitted_and_all_is_said(prepared: Prepared) -> None:
    run, err = prepared.run("trouble"), prepared["trouble"].err
    for said in ("UTF-16", "nothing", "constant", "comma", "1 infinite cell"):
        assert said in err, said
    assert read_record(run / "run.json")["rows"] == 240
    roles = {column["name"]: column["role"] for column in read_record(run / "data" / "schema.json")["columns"]}
    assert roles["x"] == roles["ratio"] == "number"
    assert read_record(run / "evaluation.json")["score"] > 0.9


def test_one_row_in_another_dialect_is_predicted_as_among_all(prepared: Prepared) -> None:
    run = prepared.run("trouble")
    plain = trouble().drop(columns="label").to_csv(index=False).splitlines()
    one = prepared.tool("predict", run, "-", "--proba", stdin="\n".join([*plain[:2], ""]).encode())
    assert one.code == 0, one
    assert one.out.splitlines()[0] == "prediction,proba_False,proba_True"
    alone = pd.read_csv(io.StringIO(one.out))
    whole = pd.read_csv(io.StringIO(prepared.tool("predict", run, "trouble.csv", "--proba").out))
    assert len(alone) == 1
    assert set(whole.prediction) == {True, False}
    assert alone.proba_False[0] == pytest.approx(whole.proba_False[0], abs=1e-6)


def test_no_rows_give_no_predictions(shared: Tool, survey: Path, tmp_path: Path) -> None:
    (tmp_path / "none.csv").write_bytes(SURVEY.read_bytes().splitlines(keepends=True)[0])
    result = shared("predict", survey, tmp_path / "none.csv", "--proba")
    assert (result.code, result.out.strip()) in [(0, "prediction,proba_no,proba_yes"), (3, "")], result
    assert "Traceback" not in result.err
