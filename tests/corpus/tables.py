"""Tables as text: what the readers' own corpus has, through the command line, and what only a whole command shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from tests.corpus import Case, Maker, planned
from tests.unit.data import test_corpus as readers

# The recipe's exit code is 2, and a folder that holds a pickle or a bomb is a table's all the same.
READER_LISTS = {
    "shape": readers.SHAPE,
    "target": readers.TARGET,
    "dialect": readers.DIALECT,
    "values": readers.VALUES,
    "containers": readers.CONTAINERS,
    "extremes": readers.EXTREMES,
}
N = 60


def collect() -> Iterator[Case]:
    for group, cases in READER_LISTS.items():
        for case in cases:
            if case.id in UNSCORED:
                yield Case(group, case.id, _from_reader(case), 3, UNSCORED[case.id])
                continue
            code = case.exit_code if case.refused else 0
            says = _folded(case.refused) if code else ""
            yield Case(group, case.id, _from_reader(case), code, says, _folded(case.hint))
    for name, (content, code, says) in TABLES.items():
        yield Case("tables", name, planned("t.csv", content.encode()), code, says)


# What can be read but not scored: the split needs more than the reader.
UNSCORED: dict[str, str] = {}


def _folded(text: str) -> str:
    return " ".join(text.split())


def _from_reader(case: readers.Case) -> Maker:
    def make(folder: Path) -> list[str]:
        (folder / case.file).write_bytes(case.content)
        words = ["plan", case.file, "--target", case.target, "--json"]
        if case.options:
            (folder / "options.yaml").write_text(json.dumps(case.options))  # JSON is YAML
            words += ["--recipe", "options.yaml"]
        return words

    return make


def _rows(cells: str, n: int = N) -> str:
    """`n` rows; {i} is the number, {c} one of two classes, {x} a number that repeats."""
    return "".join(cells.format(i=i, c="np"[i * 7 % 5 < 2], x=i * 37 % 23) + "\n" for i in range(n))


def _table(header: str, cells: str, n: int = N) -> str:
    return header + "\n" + _rows(cells, n)


# name → content, exit code, what is said
TABLES: dict[str, tuple[str, int, str]] = {
    "a header of a megabyte": (_table("a" * (1 << 20) + ",b,y", "{x},{i},{c}"), 0, ""),
    "a header of 300 letters": (_table("ü" * 300 + ",b,y", "{x},{i},{c}"), 0, ""),
    "five thousand columns": (
        _table(",".join(f"c{i}" for i in range(5000)) + ",y", "1," + "{x}," * 4999 + "{c}", 20),
        0,
        "",
    ),
    "names that are brackets": (_table("[,],<,{{,y", "{x},{i},1,{x},{c}"), 0, ""),
    "names like our own": (_table("prediction,fold,__index__,index,y", "{x},{i},{x},{i},{c}"), 0, ""),
    "names that are emoji": (_table("📈,👩‍👩‍👧,y", "{x},{i},{c}"), 0, "📈"),
    "names that differ in case": (_table("Age,age,y", "{x},{i},{c}"), 0, ""),
    "names that differ in space": (_table("age, age,y", "{x},{i},{c}"), 3, "same name"),
    "a name that clears the screen": (_table("\x1b[2J\x1b[H,b,y", "{x},{i},{c}"), 0, ""),
    "a name with a link for terminals": (_table("\x1b]8;;http://127.0.0.1\x07a\x1b]8;;\x07,b,y", "{x},1,{c}"), 0, ""),
    "a name right to left": (_table("\u202eeman,b,y", "{x},{i},{c}"), 0, ""),
    "names that are numbers with dots": (_table("1.5,2.5,y", "{x},{i},{c}"), 0, ""),
    "a column of every kind of missing": (_table("a,b,y", ",{x},{c}") + "NA,1,n\nN/A,2,p\nnull,3,n\n", 0, ""),
    "every feature missing": (_table("a,b,y", ",,{c}"), 3, "No column is left"),
    "every feature constant": (_table("a,b,y", "1,k,{c}"), 3, "No column is left"),
    "every row the same but the label": (_table("a,b,y", "{c},1,{c}"), 0, "leak"),
    "a copy of the target": (_table("a,b,y", "{x},{c},{c}"), 0, "leak"),
    "all rows equal, labels random": (_table("a,b,y", "1,2,{c}"), 3, "No column is left"),
    "two rows a hundred times": ("a,b,y\n" + "1,2,n\n3,4,p\n" * 100, 0, ""),
    "a class of one": (_table("a,b,y", "{x},{i},{c}") + "1,2,rare\n", 0, "rare"),
    "ten classes of one": (_table("a,b,y", "{x},{i},{c}") + "".join(f"1,{i},r{i}\n" for i in range(10)), 0, "r0"),
    "classes of two rows each": ("a,b,y\n" + "".join(f"{i % 7},{i},k{i // 2}\n" for i in range(60)), 0, "k29"),
    "300 classes": ("a,b,y\n" + "".join(f"{i % 7},{i * 3 % 101},k{i % 300}\n" for i in range(1800)), 0, ""),
    "labels with line ends": (_table("a,b,y", '{x},{i},"one\n{c}"'), 0, ""),
    "labels that are tags": (_table("a,b,y", "{x},{i},<script>{c}</script>"), 0, ""),
    "labels that are formulas": (_table("a,b,y", "{x},{i},={c}+1"), 0, ""),
    "labels of ten thousand letters": (_table("a,b,y", "{x},{i}," + "{c}" * 10000), 0, ""),
    "a target of zeros and one one": (_table("a,b,y", "{x},{i},0") + "1,2,1\n", 3, "two rows or more"),
    "a target of huge numbers": (_table("a,b,y", "{x},{i},{i}e30"), 0, ""),
    "a target of tiny numbers": (_table("a,b,y", "{x},{i},{i}.5e-300"), 0, "regression"),
    "a target of dates": (_table("a,b,y", "{x},{i},2024-01-{x}"), 0, "multiclass"),
    "numbers beyond float32": (_table("a,b,y", "{x}.5e300,{i},{c}"), 3, "No column is left"),
    "subnormal numbers": (_table("a,b,y", "{x}e-320,{x},{c}"), 0, ""),
    "numbers in words and digits": (_table("a,b,y", "{x},{i},{c}") + "three,4,n\n" * 30, 0, ""),
    "a comma for the point in one row": (_table("a,b,y", "{x}.5,{i},{c}") + '"3,5",4,n\n', 0, ""),
    "a hundred thousand commas": ("," * 100_000 + "\n", 3, "100,001 columns"),
    "fifty thousand columns of one name": ("a," * 50_000 + "a\n" + "1," * 50_000 + "1\n", 3, "same name"),
    "only quotes": ('"' * 5001, 3, ""),
    "one line of a megabyte": ("a" * (1 << 20), 3, ""),
    "quotes that open in every cell": (_table("a,b,y", '"{x}"",""{i},{c}'), 0, ""),
    "backslashes before quotes": (_table("a,b,y", '"{x}\\"",{i},{c}'), 0, ""),
    "tabs and commas in turn": ("a,b,y\n" + _rows("{x}\t{i}\t{c}", 30) + _rows("{x},{i},{c}", 30), 3, "line"),
    "a second table below": (_table("a,b,y", "{x},{i},{c}") + "\n" + _table("c,d,e,f", "1,2,3,4"), 3, "line"),
    "a line of totals": (_table("a,b,y", "{x},{i},{c}") + "Total,,\n", 0, ""),
    "blank lines between rows": (_table("a,b,y", "{x},{i},{c}\n"), 0, ""),
    "nulls for commas": ("a\0b\0y\n" + _rows("{x}\0{i}\0{c}"), 3, "NUL"),
    "Arabic digits": (_table("a,b,y", "١٢{x},{i},{c}"), 0, ""),
    "texts of Chinese alone": (_table("a,y", "我今天去了北京的商店买东西{x}{i}好,{c}"), 0, ""),
    "texts of spaces and stop words": (_table("a,b,y", '"the the   of",{x},{c}'), 0, ""),
    "a document of two megabytes": (_table("a,b,y", "{x},{i},{c}") + "word " * 400_000 + ",1,n\n", 0, ""),
    "JSON in cells": (_table("a,b,y", '"{{""k"": {x}}}",{i},{c}'), 0, ""),
    "coordinates in cells": (_table("a,b,y", '"48.2, 16.{x}",{i},{c}'), 0, ""),
    "dates of all ages": (_table("a,b,y", "{i}-01-01,{x},{c}").replace("\n0-", "\n1-"), 0, ""),
    "hostile dates": (_table("a,b,y", "9" * 400 + "-{x}-{x},{i},{c}"), 0, ""),
    "a megabyte of digits": (_table("a,b,y", "{x},{i},{c}") + "1" * (1 << 20) + ",1,n\n", 0, ""),
    "ten thousand signs": (_table("a,b,y", "+-+-+-{x},{i},{c}") + "-" * 10_000 + ",1,n\n", 0, ""),
    "weights that are words": (_table("a,w,y", "{x},heavy,{c}"), 0, ""),
}
