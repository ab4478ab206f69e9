"""Bad input, one case a line: what is refused with which words, what is loaded and which notice it leaves."""

from __future__ import annotations

import bz2
import dataclasses
import gzip
import io
import lzma
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import zstandard

from automl.data import Dataset
from automl.data.load import load_dataset
from automl.errors import AutoMLError, DataError
from automl.recipe import Recipe, build_recipe
from automl.schema import Role

N = 40


def table(
    header: str = "x,word,y",
    row: Callable[[int], str] = lambda i: f"{i * i},{'ab'[i % 2]},{'np'[i % 3 == 0]}",
    n: int = N,
) -> str:
    return "\n".join([header, *(row(i) for i in range(n))]) + "\n"


GOOD = table()


@dataclasses.dataclass(frozen=True)
class Case:
    id: str
    content: bytes
    refused: str = ""  # part of the message
    hint: str = ""
    notice: str = ""
    check: Callable[[Dataset], bool] | None = None
    file: str = "t.csv"
    target: str = "y"
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    exit_code: int = 3


def column(name: str) -> Callable[[Dataset], Any]:
    return lambda dataset: dataset.frame[name].to_numpy()


def starts(name: str, *values: Any) -> Callable[[Dataset], bool]:
    """The column begins with these values (None: missing)."""

    def check(dataset: Dataset) -> bool:
        got = dataset.frame[name].to_numpy()[: len(values)]
        return all(pd.isna(a) if b is None else a == b for a, b in zip(got, values, strict=True))

    return check


def role(name: str, kind: str) -> Callable[[Dataset], bool]:
    return lambda dataset: dataset.schema[name].role == Role(kind)


def feature(cell: Callable[[int], str], name: str = "v", sep: str = ",", n: int = N) -> bytes:
    """A table with one column of interest beside a number and a target of two classes."""
    return table(f"{name}{sep}x{sep}y", lambda i: f"{cell(i)}{sep}{i * i % 97}{sep}{'np'[i % 3 == 0]}", n).encode()


def of_target(cell: Callable[[int], str], n: int = N) -> bytes:
    return table("x,y", lambda i: f"{i * i % 97},{cell(i)}", n).encode()


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__dot__", ".").replace("__slash__", "/"), content)
    return buffer.getvalue()


def loads_all(dataset: Dataset) -> bool:
    return dataset.n_rows == N and list(dataset.frame.columns) == ["x", "word"] and dataset.frame["x"].iloc[5] == 25


def has_id(dataset: Dataset) -> bool:
    return [(column.name, column.role) for column in dataset.schema.features] == [("id", Role.CATEGORY)]


B = GOOD.encode()
IDS = table("id,y", lambda i: f"{i},{'ab'[i % 2]}").encode()
CHINESE = table("姓名,x,类", lambda i: f"{['张伟', '王芳', '李娜'][i % 3]},{i * i},{['高', '低'][i % 2]}")
JAPANESE = table(
    "名前,x,収入", lambda i: f"{['田中さん', '鈴木さん', 'テスト'][i % 3]},{i * i},{['高い', '低い'][i % 2]}"
)
FRENCH = table("nom,x,ville", lambda i: f"{['Élodie', 'José', 'Zoë'][i % 3]},{i * i},{['Orléans', 'Mâcon'][i % 2]}")

SHAPE = [
    Case("empty file", b"", refused="is empty (0 bytes)"),
    Case("only line ends", b"\n\n\n", refused="only blank lines"),
    Case("only spaces", b"   \n  \n", refused="only blank lines"),
    Case("header only", b"a,b,y\n", refused="a header and no rows"),
    Case("one row", b"a,b,y\n1,2,3\n", refused="has 1 rows; at least 10"),
    Case("nine rows", table(n=9).encode(), refused="has 9 rows"),
    Case("target only", table("y", lambda i: "ab"[i % 2]).encode(), refused="no column but the target"),
    Case("no line end at the end", B.rstrip(b"\n"), check=loads_all),
    Case(
        "huge cell",
        b"x,word,y\n1," + b"a" * (11 << 20) + b",p\n" + B.split(b"\n", 1)[1],
        refused="row 1, column 'word' holds more than 10 MiB",
    ),
]
TARGET = [
    Case("misspelt target", B.replace(b"y", b"price", 1), target="pric", refused="no column 'pric'", hint="'price'"),
    Case("target in another case", B.replace(b"y", b"Price", 1), target="price", refused="no column", hint="'Price'"),
    Case("zero-width target", B.replace(b"y", "y\u200b".encode(), 1), refused="no column 'y'", hint="\\u200b"),
    Case("target with space", b"x,word, y \n" + B.split(b"\n", 1)[1], check=loads_all),
    Case("constant number", of_target(lambda i: "7"), refused="has one value, '7'"),
    Case("one class", of_target(lambda i: "yes"), refused="has one value, 'yes'"),
    Case("all missing target", of_target(lambda i: ""), refused="has no value in any row"),
    Case("few missing targets", of_target(lambda i: "" if i == 3 else "ab"[i % 2]), notice="left out 1 row(s)"),
    Case("most targets missing", of_target(lambda i: "ab"[i % 2] if i < 15 else ""), refused="missing in 25 of 40"),
    Case("infinite target", of_target(lambda i: "inf" if i == 4 else f"{i}.5"), refused="infinite in row 5"),
    Case(
        "class of one",
        of_target(lambda i: "rare" if i == 4 else "ab"[i % 2]),
        notice="1 class(es) with one row are kept: 'rare'",
    ),
    Case("a class a row", of_target(lambda i: f"name{i}"), refused="40 different values in 40 rows"),
    Case(
        "float labels",
        of_target(lambda i: f"{i % 3}.0"),
        check=lambda d: (
            d.task.classes == ("0", "1", "2") and d.task.convert_label("2") == 2.0 and d.task.label_type == "float"
        ),
    ),
    Case(
        "labels that differ in case", of_target(lambda i: ["Yes", "yes", "no"][i % 3]), notice="'Yes' (14), 'yes' (13)"
    ),
    Case("labels with space", of_target(lambda i: ["yes", "yes ", "no"][i % 3]), notice="space around class labels"),
    Case("bool labels", of_target(lambda i: ["True", "False"][i % 2]), check=lambda d: d.task.label_type == "bool"),
    Case("labels 0 and 1", of_target(lambda i: str(i % 2)), check=lambda d: d.task.label_type == "int"),
    Case("labels -1 and 1", of_target(lambda i: ["-1", "1"][i % 2]), check=lambda d: d.task.classes == ("-1", "1")),
    Case("labels y and n", of_target(lambda i: "YN"[i % 2]), notice="the positive class is 'Y'"),
    Case("ratings", of_target(lambda i: str(i % 3 + 1)), notice="--task regression predicts a number"),
    Case(
        "numbers by the thousand",
        of_target(lambda i: f'"{i + 1},{i * 7 % 1000:03d}"'),
        check=lambda d: d.target[1] == 2007.0,
    ),
    Case("duplicated target", b"x,y,y\n1,2,3\n", refused="same name: 'y'"),
    Case("words as regression", B, options={"task": "regression"}, refused="is not a number: row 1 holds 'p'"),
    Case(
        "three classes as binary",
        of_target(lambda i: "abc"[i % 3]),
        options={"task": "binary"},
        refused="3 classes, not two",
    ),
    Case("positive named", B, options={"data": {"positive": "n"}}, check=lambda d: d.task.classes == ("p", "n")),
    Case("positive unknown", B, options={"data": {"positive": "q"}}, refused="no class 'q'"),
]
DIALECT = [
    Case("duplicate names", b"a,a,y\n1,2,3\n", refused="same name: 'a'"),
    Case("names alike in NFC", "é,e\u0301,y\n1,2,3\n".encode(), refused="same name"),
    Case("UTF-8 mark", b"\xef\xbb\xbf" + B, check=loads_all),
    Case("UTF-8 mark and quotes", b'\xef\xbb\xbf"x","word","y"\n' + B.split(b"\n", 1)[1], check=loads_all),
    Case(
        "Latin-1",
        FRENCH.encode("latin-1"),
        target="ville",
        notice="decoded as Latin-1",
        check=starts("nom", "Élodie", "José"),
    ),
    Case(
        "Windows-1252",
        FRENCH.replace("Zoë", "“Zoë”").replace("Mâcon", "5 €").encode("cp1252"),
        target="ville",
        notice="decoded as Windows-1252",
        check=starts("nom", "Élodie", "José", "“Zoë”"),
    ),
    Case("GBK", CHINESE.encode("gbk"), target="类", notice="GB18030", check=starts("姓名", "张伟", "王芳")),
    Case(
        "Shift-JIS",
        JAPANESE.encode("shift_jis"),
        target="収入",
        notice="Shift-JIS",
        check=starts("名前", "田中さん", "鈴木さん"),
    ),
    Case(
        "encoding named", FRENCH.encode("cp1250", "replace"), target="ville", options={"data": {"encoding": "cp1250"}}
    ),
    Case(
        "encoding unknown", B, options={"data": {"encoding": "utf-9"}}, refused="Unknown encoding 'utf-9'", exit_code=2
    ),
    Case("encoding wrong", FRENCH.encode("latin-1"), options={"data": {"encoding": "utf-8"}}, refused="line 2"),
    Case(
        "damage in UTF-8",
        CHINESE.encode().replace("王芳".encode(), b"\xe7\x8e", 1),
        target="类",
        refused="damaged UTF-8: line 3",
    ),
    Case("UTF-16 LE with mark", b"\xff\xfe" + GOOD.encode("utf-16-le"), notice="decoded as UTF-16", check=loads_all),
    Case("UTF-16 BE with mark", b"\xfe\xff" + GOOD.encode("utf-16-be"), notice="decoded as UTF-16", check=loads_all),
    Case("UTF-16 LE without mark", GOOD.encode("utf-16-le"), notice="decoded as UTF-16-LE", check=loads_all),
    Case("UTF-16 BE without mark", GOOD.encode("utf-16-be"), notice="decoded as UTF-16-BE", check=loads_all),
    Case("UTF-16 Chinese without mark", CHINESE.encode("utf-16-le"), target="类", check=starts("姓名", "张伟")),
    Case("UTF-32", GOOD.encode("utf-32"), notice="decoded as UTF-32", check=loads_all),
    Case("UTF-32 without mark", GOOD.encode("utf-32-be"), notice="decoded as UTF-32-BE", check=loads_all),
    Case("CRLF", B.replace(b"\n", b"\r\n"), check=loads_all),
    Case("CR only", B.replace(b"\n", b"\r"), check=loads_all),
    Case("mixed line ends", B.replace(b"\n", b"\r\n", 7), check=loads_all),
    Case(
        "quoted separator, line end and quote",
        feature(lambda i: ['"a,b"', '"c\nd"', '"e""f"'][i % 3]),
        check=starts("v", "a,b", "c\nd", 'e"f'),
    ),
    Case(
        "quote never closed", feature(lambda i: '"open' if i == 1 else "ab"[i % 2]), refused="a quote opens in line 3"
    ),
    Case("quote inside a word", feature(lambda i: ['5"tall', "no"][i % 2]), check=starts("v", '5"tall', "no")),
    Case("semicolons", B.replace(b",", b";"), notice="separated by semicolon", check=loads_all),
    Case(
        "semicolons and decimal commas",
        feature(lambda i: f"{i},5", sep=";"),
        notice="a decimal comma",
        check=starts("v", 0.5, 1.5, 2.5),
    ),
    Case("tabs", B.replace(b",", b"\t"), file="t.tsv", notice="separated by tab", check=loads_all),
    Case("tabs named csv", B.replace(b",", b"\t"), notice="separated by tab", check=loads_all),
    Case("bars", B.replace(b",", b"|"), notice="separated by bar", check=loads_all),
    Case("blanks", B.replace(b",", b"   "), file="t.txt", notice="separated by blanks", check=loads_all),
    Case("declared separator", b"sep=;\r\n" + B.replace(b",", b";"), notice="separated by semicolon", check=loads_all),
    Case(
        "thousands in quotes",
        feature(lambda i: f'"{i + 1},{i * 7 % 1000:03d}"'),
        notice="between thousands",
        check=starts("v", 1000, 2007),
    ),
    Case(
        "dots between thousands",
        feature(lambda i: f"{i + 1}.{i * 7 % 1000:03d},{i % 10}5", sep=";"),
        check=starts("v", 1000.05, 2007.15),
    ),
    Case("blanks between thousands", feature(lambda i: f"{i + 1} {i * 7 % 1000:03d}"), check=starts("v", 1000, 2007)),
    Case(
        "apostrophes between thousands", feature(lambda i: f"{i + 1}'{i * 7 % 1000:03d}"), check=starts("v", 1000, 2007)
    ),
    Case("dollars", feature(lambda i: f"${i}.50"), notice="$ cut off", check=starts("v", 0.5, 1.5)),
    Case("euros", feature(lambda i: f"{i},50 €", sep=";"), notice="€ cut off", check=starts("v", 0.5, 1.5)),
    Case("per cent", feature(lambda i: f"{i}%"), notice="% cut off", check=starts("v", 0, 1)),
    Case("mixed currencies", feature(lambda i: f"{'$€'[i % 2]}{i % 7}"), check=role("v", "category")),
    Case("row too long", B.replace(b"\n4,", b"\n4,4,"), refused="line 4 has 4 fields, the header has 3"),
    Case("row too short", B.replace(b"\n4,a", b"\n4"), refused="line 4 has 2 fields, the header has 3"),
    Case("all rows longer", B.replace(b"x,word,y", b"word,y"), refused="has 3 fields, the header has 2"),
    Case("comma at each line's end", B.replace(b"\n", b",\n"), notice="dropped an empty last column", check=loads_all),
    Case("comma at each row's end", B.replace(b"\n", b",\n").replace(b"y,\n", b"y\n", 1), check=loads_all),
    Case(
        "nameless column",
        B.replace(b"word", b" "),
        notice="column 2 is called column_2",
        check=role("column_2", "category"),
    ),
    Case(
        "index column",
        table(",x,word,y", lambda i: f"{i},{i * i},{'ab'[i % 2]},{'np'[i % 3 == 0]}").encode(),
        notice="dropped the unnamed first column",
        check=loads_all,
    ),
    Case(
        "no header",
        table("5.1,3.5,setosa", lambda i: f"{i}.1,{i * i}.5,{['setosa', 'virginica'][i % 2]}").encode(),
        target="column_3",
        notice="the file has no header",
        check=lambda d: d.n_rows == N + 1,
    ),
    Case("numbers as names", table("1,2,3").encode(), target="3", check=role("1", "number")),
    Case("header again", B + B, notice="dropped 1 row(s) that repeat the header", check=lambda d: d.n_rows == 2 * N),
    Case("comment lines", b"# made by x\n# on Monday\n" + B, notice="skipped 2 comment line(s)", check=loads_all),
    Case("title line", b"Sales report\n" + B, notice="skipped 1 title line(s)", check=loads_all),
    Case("blank after commas", B.replace(b",", b", "), check=loads_all),
    Case(
        "quotes after blanks",
        table("v, x, y", lambda i: f'"a{i % 2}, b", {i * i}, "{"np"[i % 3 == 0]}"').encode(),
        check=starts("v", "a0, b", "a1, b"),
    ),
    Case("single quotes", feature(lambda i: f"'a{i % 2}, b'"), notice="single quotes", check=starts("v", "a0, b")),
    Case("NUL byte in a cell", B.replace(b",a,", b",a\0,", 1), refused="line 2 holds a NUL byte"),
    Case("all NUL", b"\0" * 500, refused="NUL"),
    Case("odd names", table('"[x]<{""%","prediction","y"').encode(), check=role('[x]<{"%', "number")),
    Case("escape in a name", table("\x1b[31mx,word,y").encode(), check=lambda d: d.frame.shape == (N, 2)),
]
VALUES = [
    Case(
        "one word in 200 numbers",
        feature(lambda i: "oops" if i == 9 else f"{i % 50}.5", n=200),
        notice="1 unreadable cell(s) count as missing: 'oops'",
        check=role("v", "number"),
    ),
    Case(
        "words among few numbers", feature(lambda i: "oops" if i == 9 else f"{i % 10}.5"), check=role("v", "category")
    ),
    Case(
        "infinity",
        feature(lambda i: "inf" if i == 1 else f"{i}.5"),
        notice="1 infinite cell(s)",
        check=starts("v", 0.5, None),
    ),
    Case("minus infinity", feature(lambda i: "-Infinity" if i == 1 else f"{i}.5"), check=starts("v", 0.5, None)),
    Case("overflow", feature(lambda i: "1e400" if i == 1 else f"{i}.5"), check=starts("v", 0.5, None, 2.5)),
    Case("integers beyond 2^63", feature(lambda i: f"9{i % 20:019d}"), check=role("v", "category")),
    Case(
        "long account numbers",
        feature(lambda i: f"9007199254740{993 + i % 7}"),
        check=starts("v", "9007199254740993", "9007199254740994"),
    ),
    Case("19-digit identifiers", feature(lambda i: f"1{i:018d}"), notice="an identifier"),
    Case(
        "leading zeros",
        feature(lambda i: f"00{501 + i % 9}"),
        notice="leading zeros",
        check=starts("v", "00501", "00502"),
    ),
    Case("product codes like 1E5", feature(lambda i: f"{i % 3 + 1}E5"), check=starts("v", "1E5", "2E5")),
    Case("hexadecimal", feature(lambda i: f"0x1{'ABF'[i % 3]}"), check=starts("v", "0x1A")),
    Case("underscores", feature(lambda i: f"{i % 3}_000"), check=starts("v", "0_000")),
    Case("full-width digits", feature(lambda i: "１２" if i % 2 else "３４"), check=starts("v", 34, 12)),
    Case("Unicode minus", feature(lambda i: f"\u2212{i}.5"), check=starts("v", -0.5, -1.5)),
    Case("NA among numbers", feature(lambda i: "NA" if i == 1 else str(i)), check=starts("v", 0, None, 2)),
    Case(
        "question marks among words",
        feature(lambda i: "?" if i == 1 else "ab"[i % 2]),
        notice="'?' counts as missing",
        check=starts("v", "a", None),
    ),
    Case(
        "dashes among numbers",
        feature(lambda i: "-" if i % 5 == 1 else str(i)),
        notice="'-' counts as missing",
        check=starts("v", 0, None, 2),
    ),
    Case(
        "spreadsheet errors",
        feature(lambda i: "#REF!" if i == 1 else str(i)),
        notice="'#REF!' counts",
        check=starts("v", 0, None),
    ),
    Case(
        "-999", feature(lambda i: "-999" if i % 9 == 1 else f"{i % 8}.5"), notice="cells are -999, far from all others"
    ),
    Case("None is a word", feature(lambda i: ["None", "Brick"][i % 2]), check=starts("v", "None", "Brick")),
    Case(
        "Namibia",
        feature(lambda i: ["NA", "DE", "FR", "US"][i % 4]),
        notice="'NA' is kept",
        check=starts("v", "NA", "DE"),
    ),
    Case("all-missing column", feature(lambda i: ""), notice="v: not used", check=lambda d: not d.schema["v"].required),
    Case("constant column", feature(lambda i: "5"), notice="v: not used"),
    Case(
        "repeated column",
        feature(lambda i: str(i * i % 97)),
        check=lambda d: d.schema["x"].reason == "repeats the column 'v'",
    ),
    Case("space around numbers", feature(lambda i: f" {i}\u00a0"), check=starts("v", 0, 1)),
    Case(
        "true, False, 1", feature(lambda i: ["true", "False", "1"][i % 3]), check=starts("v", "True", "False", "True")
    ),
    Case("true and missing", feature(lambda i: ["True", "", "False"][i % 3]), check=starts("v", "True", None, "False")),
    Case("row numbers", feature(str, name="row_id"), notice="row_id: not used"),
    Case(
        "row numbers kept",
        feature(str, name="row_id"),
        options={"data": {"keep": ["row_id"]}},
        check=role("row_id", "number"),
    ),
    Case(
        "UUIDs",
        feature(lambda i: f"123e4567-e89b-12d3-a456-4266141740{i:02d}"),
        check=lambda d: "UUIDs" in d.schema["v"].reason,
    ),
    Case("e-mails", feature(lambda i: f"a{i}@b.org"), check=lambda d: "e-mail" in d.schema["v"].reason),
    Case("ISO dates", feature(lambda i: f"2024-01-{i % 28 + 1:02d}"), check=starts("v", np.datetime64("2024-01-01"))),
    Case(
        "day first",
        feature(lambda i: f"{i % 28 + 1:02d}/02/2024"),
        notice="%d/%m/%Y",
        check=starts("v", np.datetime64("2024-02-01")),
    ),
    Case(
        "month first",
        feature(lambda i: f"02/{i % 28 + 1:02d}/2024"),
        notice="%m/%d/%Y",
        check=starts("v", np.datetime64("2024-02-01")),
    ),
    Case(
        "day or month",
        feature(lambda i: f"{i % 12 + 1:02d}/02/2024"),
        notice="could be the other way round",
        check=role("v", "date"),
    ),
    Case(
        "German dates", feature(lambda i: f"{i % 28 + 1:02d}.02.2024"), check=starts("v", np.datetime64("2024-02-01"))
    ),
    Case("month names", feature(lambda i: f'"Feb {i % 28 + 1}, 24"'), check=starts("v", np.datetime64("2024-02-01"))),
    Case(
        "epoch seconds",
        feature(lambda i: str(1700000000 + 86400 * i)),
        notice="seconds since 1970",
        check=starts("v", np.datetime64("2023-11-14T22:13:20")),
    ),
    Case(
        "epoch milliseconds",
        feature(lambda i: str(1700000000000 + 86400000 * i)),
        check=starts("v", np.datetime64("2023-11-14T22:13:20")),
    ),
    Case(
        "digits of a day", feature(lambda i: f"202401{i % 28 + 1:02d}"), check=starts("v", np.datetime64("2024-01-01"))
    ),
    Case(
        "time zones",
        feature(lambda i: f"2024-01-{i % 28 + 1:02d}T01:00:00+02:00"),
        notice="turned into UTC",
        check=starts("v", np.datetime64("2023-12-31T23:00")),
    ),
    Case(
        "30 February",
        feature(lambda i: "2024-02-30" if i == 9 else f"2024-01-{i % 28 + 1:02d}", n=200),
        notice="'2024-02-30'",
        check=role("v", "date"),
    ),
    Case(
        "years 1 and 9999",
        feature(lambda i: ["0001-01-01", "9999-12-31"][i % 2]),
        check=starts("v", np.datetime64("0001-01-01")),
    ),
    Case("formulas", feature(lambda i: ["=CMD()", "@SUM", "-1+1"][i % 3]), check=starts("v", "=CMD()", "@SUM", "-1+1")),
    Case("texts", feature(lambda i: f'"the {i}th one, is not like number {i * 7}"'), check=role("v", "text")),
    Case(
        "Chinese texts",
        feature(lambda i: "我今天去了北京的商店买东西" + "天地玄黄宇宙洪荒"[i % 8] + chr(0x4E00 + i)),
        check=role("v", "text"),
    ),
    Case("integers stay numbers", feature(lambda i: str(i % 4)), check=role("v", "number")),
    Case("zip codes by name", feature(lambda i: str(10115 + i % 5), name="zip"), check=role("zip", "category")),
    Case(
        "large numbers close together",
        feature(lambda i: f"{10**9 + i % 7}"),
        options={"data": {"roles": {"v": "number"}}},
        check=lambda d: d.schema["v"].offset == 10**9 + 3,
    ),
    Case(
        "negative weight",
        feature(lambda i: "-1" if i == 4 else "1"),
        options={"data": {"weight": "v"}},
        refused="negative or missing in 1 row(s): 5",
    ),
    Case(
        "missing weight",
        feature(lambda i: "" if i == 4 else "2"),
        options={"data": {"weight": "v"}},
        refused="row(s): 5",
    ),
    Case(
        "unknown column to drop",
        B,
        options={"data": {"drop": ["wrod"]}},
        refused="no column 'wrod' (--drop)",
        hint="'word'",
    ),
    Case(
        "role that does not fit",
        B,
        options={"data": {"roles": {"word": "number"}}},
        refused="cannot be a number: it holds 'a'",
    ),
    Case("nothing left", IDS, refused="No column is left", hint="--role COLUMN=category"),
    Case("nothing left but what is asked for", IDS, options={"data": {"roles": {"id": "category"}}}, check=has_id),
]
CONTAINERS = [
    Case("gzip", gzip.compress(B), file="t.csv.gz", check=loads_all),
    Case("gzip by another name", gzip.compress(B), notice="unpacked a gzip file", check=loads_all),
    Case("bzip2", bz2.compress(B), file="t.csv.bz2", check=loads_all),
    Case("xz", lzma.compress(B), file="t.csv.xz", check=loads_all),
    Case("zstd", zstandard.compress(B), file="t.csv.zst", check=loads_all),
    Case(
        "two zstd frames", zstandard.compress(B[:100]) + zstandard.compress(B[100:]), file="t.csv.zst", check=loads_all
    ),
    Case(
        "zip",
        zipped(t__dot__csv=B, __MACOSX__slash____dot___t__dot__csv=b"x", __dot__DS_Store=b"x"),
        file="t.zip",
        check=loads_all,
    ),
    Case("zip of two", zipped(a__dot__csv=B, b__dot__csv=B), file="t.zip", refused="holds 2 files: 'a.csv', 'b.csv'"),
    Case("zip cut off", zipped(t__dot__csv=B)[:-40], file="t.zip", refused="damaged zip"),
    Case("gzip cut off", gzip.compress(B)[:-20], file="t.csv.gz", refused="damaged gzip"),
    Case("gzip with junk", gzip.compress(B) + b"junk", file="t.csv.gz", refused="damaged gzip"),
    Case("gzip with wrong sum", gzip.compress(B)[:-8] + b"\0" * 8, file="t.csv.gz", refused="damaged gzip"),
    Case("bzip2 cut off", bz2.compress(B)[:-20], file="t.csv.bz2", refused="damaged bzip2"),
    Case("xz cut off", lzma.compress(B)[:-20], file="t.csv.xz", refused="damaged xz"),
    Case("zstd cut off", zstandard.compress(B)[:-10], file="t.csv.zst", refused="damaged zstd"),
    Case("gzip twice", gzip.compress(gzip.compress(B)), file="t.csv.gz.gz", refused="packed twice"),
    Case("gzip bomb", gzip.compress(b"a" * (80 << 20)), file="t.csv.gz", refused="unpacks to more than 64 MiB"),
    Case("zstd bomb", zstandard.compress(b"a" * (80 << 20)), file="t.csv.zst", refused="unpacks to more than 64 MiB"),
    Case("HTML page", b"<!DOCTYPE html>\n<html><body>404</body></html>", refused="is an HTML page, not a table"),
    Case("HTML after blanks", b"\n  <html lang='en'>" + B, refused="is an HTML page"),
    Case("PNG", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, refused="is a PNG picture"),
    Case("JPEG", b"\xff\xd8\xff\xe0" + b"\0" * 50, refused="is a JPEG picture"),
    Case("PDF", b"%PDF-1.7\n" + B, refused="is a PDF document"),
    Case("XML", b"<?xml version='1.0'?><r/>", refused="is an XML document"),
    Case(
        "workbook called csv",
        zipped(**{"[Content_Types]__dot__xml": b"<x/>"}),
        refused="is an Excel or OpenDocument workbook",
    ),
    Case("JSON called csv", b'{"x": 1}\n', refused="is JSON, although its name ends in .csv"),
    Case("pickle", pickle.dumps([1, 2], protocol=4), file="t.pkl", refused="is a pickle"),
    Case("pickle called csv", pickle.dumps({"a": 1}, protocol=5), refused="is a pickle"),
    Case("Parquet cut off", b"PAR1" + b"\0" * 100, file="t.parquet", refused="not a sound Parquet file"),
    Case("Feather cut off", b"ARROW1\0\0" + b"\0" * 100, file="t.feather", refused="not a sound Arrow file"),
    Case("workbook cut off", zipped(a=b"b")[:-9], file="t.xlsx", refused="damaged"),
    Case("JSON lines, one bad", b'{"x": 1, "y": 2}\n{"x": 1,\n', file="t.jsonl", refused="line 2 is not valid JSON"),
    Case("JSON lines, a number", b'{"x": 1, "y": 2}\n5\n', file="t.jsonl", refused="line 2 is int, not an object"),
    Case("JSON lines, key twice", b'{"x": 1, "x": 2}\n', file="t.jsonl", refused="'x' stands twice"),
    Case("JSON nested too deep", b"[" * 100_000, file="t.json", refused="not valid JSON"),
    Case(
        "JSON lines with lists",
        b"".join(b'{"x": %d, "v": [1], "y": "%s"}\n' % (i, b"ab"[i % 2 : i % 2 + 1]) for i in range(N)),
        file="t.jsonl",
        refused="Column 'v' holds list cells",
        hint="--drop v",
    ),
    Case("only a comment", b"#0\x0c|\n", refused="has no header and no rows"),
    Case("one line without an end", b"a,y", refused="has a header and no rows"),
    Case("only a separator", b"sep=;\n", refused="has no header and no rows"),
    Case(
        "ARFF, bad, with a per cent sign",
        b"@relation r\n@attribute x numeric\n@data\n1\x01%n,{\n",
        file="t.arff",
        refused="is not valid ARFF",
    ),
    Case("ARFF, bad", b"@relation r\n@attribute x numeric\n@data\nword\n", file="t.arff", refused="is not valid ARFF"),
]

EXTREMES = [
    Case("target beyond float32", of_target(lambda i: "1e300" if i == 4 else f"{i}.5"), refused="infinite in row 5"),
    Case("beyond float32", feature(lambda i: "1e39" if i == 1 else f"{i % 9}.5e37"), notice="1 infinite cell(s)"),
    Case("declared nonsense", b"sep=\xc3\xa9\n" + B, notice="skipped 1 title line(s)", check=loads_all),
    Case(
        "a number beyond any float",
        (b'{"x": 1%s, "y": "a"}\n{"x": 2, "y": "b"}\n{"x": 3.5, "y": "b"}\n' % (b"0" * 400)) * 6,
        file="t.jsonl",
        notice="6 infinite cell(s)",
    ),
    Case("zip member called dot", zipped(__dot__=B), file="t.zip", check=loads_all),
]


@pytest.mark.parametrize("case", [*SHAPE, *TARGET, *DIALECT, *VALUES, *CONTAINERS, *EXTREMES], ids=lambda case: case.id)
def test_bad_input_is_refused_or_loaded_as_the_corpus_says(case: Case, tmp_path: Path) -> None:
    path = tmp_path / case.file
    path.write_bytes(case.content)
    recipe = build_recipe(case.options, source="test")
    if case.refused:
        with pytest.raises(AutoMLError) as caught:
            load_dataset(path, target=case.target, recipe=recipe)
        assert case.refused in caught.value.message
        assert case.hint in caught.value.hint
        assert caught.value.hint
        assert "\n" not in caught.value.message
        assert caught.value.exit_code == case.exit_code
        return
    dataset = load_dataset(path, target=case.target, recipe=recipe)
    told = [f"{notice.text} | {notice.reason}" for notice in dataset.notices]
    assert any(case.notice in line for line in told), told
    assert case.check is None or case.check(dataset), (dataset.schema, dataset.frame.head(), told)
    typed = dataset.schema.parse(dataset.frame)
    pd.testing.assert_frame_equal(typed, dataset.frame)


@pytest.mark.parametrize("name", ["https://example.org/a.csv", "s3://bucket/a.csv", "file:///etc/passwd"])
def test_addresses_are_refused(name: str) -> None:
    with pytest.raises(DataError, match="never uses the network"):
        load_dataset(name, target="y", recipe=Recipe())


def test_what_is_no_regular_file_is_refused_without_hanging(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere.csv")
    for name, words in (
        ("pipe", "not a regular file"),
        ("loop", "Cannot read"),
        ("dangling", "There is no file"),
        ("gone.csv", "There is no file"),
    ):
        with pytest.raises(DataError, match=words):
            load_dataset(tmp_path / name, target="y", recipe=Recipe())
    with pytest.raises(DataError, match="of no kind that makes a data set together"):
        load_dataset(tmp_path, target="y", recipe=Recipe())
    with pytest.raises(DataError, match="not a regular file"):
        load_dataset("/dev/zero", target="y", recipe=Recipe())


def test_a_misspelt_file_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "churn.csv").write_text(GOOD)
    with pytest.raises(DataError) as caught:
        load_dataset(tmp_path / "chrun.csv", target="y", recipe=Recipe())
    assert caught.value.hint == "Did you mean 'churn.csv'?"


@pytest.mark.parametrize("name", ["a b.csv", "100%.csv", "naïve-📈.csv", "--looks-like-flag.csv", "a\nb.csv"])
def test_odd_file_names_are_fine(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(GOOD)
    assert loads_all(load_dataset(tmp_path / name, target="y", recipe=Recipe()))


def test_ten_thousand_columns_take_little_more_than_ten_times_as_long_as_a_thousand(tmp_path: Path) -> None:
    """A hundred times as long is what a look at all other columns for each of them would take."""
    import time

    rng = np.random.default_rng(0)
    wide = pd.DataFrame(rng.normal(size=(50, 10_000)).round(3), columns=[f"c{i}" for i in range(10_000)])
    wide["y"] = np.arange(50) % 2
    spent = {}
    for columns in (1_000, 10_000):
        wide[[f"c{i}" for i in range(columns)] + ["y"]].to_csv(tmp_path / "wide.csv", index=False)
        started = time.process_time()  # other work on a busy machine must not fail this test
        dataset = load_dataset(tmp_path / "wide.csv", target="y", recipe=Recipe())
        spent[columns] = time.process_time() - started
        assert dataset.frame.shape == (50, columns)
        assert dataset.frame[f"c{columns - 1}"].iloc[49] == wide[f"c{columns - 1}"].iloc[49]
    assert spent[10_000] < 25 * spent[1_000]
