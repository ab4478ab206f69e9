"""Tables that a trained model is given: other columns, other types, other forms, nothing at all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.corpus import Case, Maker

ROWS = 200
RECIPE = "search: {candidates: [linear], tune: false}\nsplit: {folds: 2, repeats: 1}\n"


def training_rows(n: int = ROWS) -> str:
    """A number, a category, a date, a text, a truth value, and the target."""
    lines = ["age,city,day,note,member,bought"]
    for i in range(n):
        city = ("Graz", "Linz", "Wien")[i % 3]
        note = f"the {i}th customer wrote {i * 7 % 31} words about {city} and {i * 11 % 17} others"
        bought = "yes" if i * 37 % 63 > 30 else "no"
        member = "True" if i % 2 else "False"
        lines.append(f"{18 + i * 37 % 63},{city},2024-{i % 12 + 1:02d}-{i % 28 + 1:02d},{note},{member},{bought}")
    return "\n".join(lines) + "\n"


GOOD = training_rows(12)
HEADER = GOOD.split("\n", 1)[0]


def train_model(folder: Path) -> Path:
    """A small linear model over all kinds of columns."""
    folder.mkdir(parents=True)
    (folder / "t.csv").write_text(training_rows())
    (folder / "mine.yaml").write_text(RECIPE)
    words = ["fit", "t.csv", "--target", "bought", "--trials", "2", "--recipe", "mine.yaml", "--out", "run", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-m", "automl", *words], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "run" / "model"


def collect() -> Iterator[Case]:
    for name, (content, code, says) in TABLES.items():
        yield Case("predict", name, _predicted(content), code, says)


def _predicted(content: bytes | str, file: str = "new.csv") -> Maker:
    def make(folder: Path) -> list[str]:
        (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
        return ["predict", "{MODEL}", file, "--proba"]

    return make


def _column(name: str, value: str) -> str:
    """The good rows with one column's cells replaced."""
    place = HEADER.split(",").index(name)
    lines = [line.split(",") for line in GOOD.splitlines()]
    for line in lines[1:]:
        line[place] = value
    return "\n".join(",".join(line) for line in lines) + "\n"


def _without(name: str) -> str:
    place = HEADER.split(",").index(name)
    return "\n".join(",".join(c for i, c in enumerate(line.split(",")) if i != place) for line in GOOD.splitlines())


def _reversed_columns() -> str:
    return "\n".join(",".join(reversed(line.split(","))) for line in GOOD.splitlines()) + "\n"


ANSWER = "prediction,proba_no,proba_yes"
TABLES: dict[str, tuple[bytes | str, int, str]] = {
    "as in training": (GOOD, 0, ANSWER),
    "without the target": (_without("bought"), 0, ANSWER),
    "columns in another order": (_reversed_columns(), 0, ANSWER),
    "a column more": (
        GOOD.replace("bought", "bought,extra").replace("\n", ",1\n").replace("extra,1", "extra"),
        0,
        "extra",
    ),
    "a column less": (_without("age"), 3, "'age'"),
    "two columns less": (_without("age").replace("city", "town"), 3, "'city'"),
    "a name in another case": (GOOD.replace("age", "AGE", 1), 3, "'age'"),
    "one row": ("\n".join(GOOD.splitlines()[:2]) + "\n", 0, ANSWER),
    "no rows": (HEADER + "\n", 0, ANSWER),
    "no bytes": ("", 3, "is empty"),
    "words for numbers": (_column("age", "old"), 0, "age"),
    "numbers out of range": (_column("age", "1e308"), 0, ANSWER),
    "numbers beyond any float": (_column("age", "1e999"), 0, ANSWER),
    "infinite numbers": (_column("age", "inf"), 0, ANSWER),
    "missing numbers": (_column("age", ""), 0, ANSWER),
    "missing categories": (_column("city", ""), 0, ANSWER),
    "categories never seen": (_column("city", "Atlantis"), 0, "city"),
    "categories in another form": (_column("city", " Graz "), 0, ANSWER),
    "categories of a megabyte": (_column("city", "G" * 100_000), 0, ANSWER),
    "categories of NUL": (_column("city", "G\0"), 3, "NUL"),
    "formulas": (_column("city", "=CMD()"), 0, ANSWER),
    "dates that are none": (_column("day", "2024-02-31"), 0, ANSWER),
    "dates of another form": (_column("day", "31.01.2024"), 0, ANSWER),
    "dates of the year 9999": (_column("day", "9999-12-31"), 0, ANSWER),
    "texts that are empty": (_column("note", ""), 0, ANSWER),
    "texts of another language": (_column("note", "我今天去了北京的商店买东西"), 0, ANSWER),
    "truth as ones": (_column("member", "1"), 0, ANSWER),
    "everything missing": (HEADER + "\n" + ",,,,,\n" * 5, 0, ANSWER),
    "semicolons": (GOOD.replace(",", ";"), 0, ANSWER),
    "UTF-16": (GOOD.encode("utf-16"), 0, ANSWER),
    "Latin-1": (_column("city", "Köln").encode("latin-1"), 0, ANSWER),
    "a web page": ("<html><body>no</body></html>", 3, "HTML"),
    "a pickle": (b"\x80\x04]\x94.", 3, "pickle"),
    "a ragged table": (GOOD + "1,2\n", 3, "line 14"),
    "columns of the same name": (GOOD.replace("city", "age", 1), 3, "same name"),
}
