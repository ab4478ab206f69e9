"""What tables come packed in, and what only pretends to be one."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.corpus import Case, planned

N = 60
FRAME = pd.DataFrame({"a": [i * 37 % 23 for i in range(N)], "b": [i * i % 97 for i in range(N)]}).assign(
    y=["np"[i * 7 % 5 < 2] for i in range(N)]
)
CSV = FRAME.to_csv(index=False).encode()
MIB = 1 << 20


def collect() -> Iterator[Case]:
    for lists in (ARCHIVES, FOREIGN, COLUMNAR, LINES, BOOKS):
        for name, (file, make, code, says) in lists.items():
            yield Case("files", name, _lazily(file, make), code, says)


def _lazily(file: str, make: Callable[[], bytes]) -> Callable[[Path], Any]:
    return lambda folder: planned(file, make())(folder)


def zipped(members: dict[str, bytes], *, encrypted: bool = False, link: bool = False) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            if link:
                entry.external_attr = 0o120777 << 16
            archive.writestr(entry, content)
    packed = buffer.getvalue()
    if encrypted:  # the flag alone: what follows need not be readable
        packed = bytearray(packed)
        packed[6] |= 1
        packed[packed.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(packed)


def tarred(name: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(CSV)
        archive.addfile(entry, io.BytesIO(CSV))
    return buffer.getvalue()


def _bomb(pack: Callable[[bytes], bytes], mib: int = 300) -> Callable[[], bytes]:
    return lambda: pack(b"0" * (mib * MIB))


def parquet(frame: pd.DataFrame, **options: Any) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False, **options)
    return buffer.getvalue()


def arrow_parquet(columns: dict[str, Any]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table({**columns, "y": list(FRAME["y"])}), buffer)
    return buffer.getvalue()


def feather(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_feather(buffer)
    return buffer.getvalue()


def workbook(fill: Callable[[Any], None]) -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    fill(book)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def write_rows(sheet: Any, frame: pd.DataFrame = FRAME) -> None:
    sheet.append([str(name) for name in frame.columns])
    for row in frame.itertuples(index=False):
        sheet.append([value.item() if hasattr(value, "item") else value for value in row])


def _two_sheets(book: Any) -> None:
    write_rows(book.active)
    write_rows(book.create_sheet("more"))


def _formulas(book: Any) -> None:
    write_rows(book.active, FRAME.assign(f=[f"=A{i + 2}*2" for i in range(N)])[["a", "f", "y"]])


def _hidden(book: Any) -> None:
    book.active.sheet_state = "hidden"
    write_rows(book.create_sheet("shown"))


def _merged(book: Any) -> None:
    write_rows(book.active)
    book.active.merge_cells("A3:A6")


def _dates(book: Any) -> None:
    write_rows(book.active, FRAME.assign(d=pd.date_range("2024-01-01", periods=N).to_pydatetime())[["a", "d", "y"]])


def _tall(book: Any) -> None:
    write_rows(book.active)
    book.active.cell(row=200_000, column=1, value=None).number_format = "0.00"


def _xml_bomb() -> bytes:
    entities = "".join(f'<!ENTITY e{i + 1} "{f"&e{i};" * 10}">' for i in range(9))
    xml = f'<?xml version="1.0"?><!DOCTYPE w [<!ENTITY e0 "{"a" * 100}">{entities}]><sst><si><t>&e9;</t></si></sst>'
    whole = workbook(lambda book: write_rows(book.active))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["xl/sharedStrings.xml"] = xml.encode()
    return zipped(members)


def _sheet_bomb() -> bytes:
    whole = workbook(lambda book: write_rows(book.active))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["xl/sharedStrings.xml"] = b"<sst>" + b"<si><t>a</t></si>" * (20 * MIB) + b"</sst>"
    return zipped(members)


def jsonl(*lines: str) -> Callable[[], bytes]:
    good = [f'{{"a": {i * 37 % 23}, "b": {i}, "y": "{"np"[i % 3 == 0]}"}}' for i in range(N)]
    return lambda: ("\n".join([*good, *lines]) + "\n").encode()


# name → file, content, exit code, what is said
Files = dict[str, tuple[str, Callable[[], bytes], int, str]]
ARCHIVES: Files = {
    "a zip member above the folder": ("t.zip", lambda: zipped({"../../evil.csv": CSV}), 3, "leads out of the archive"),
    "a zip member with an absolute path": (
        "t.zip",
        lambda: zipped({"/tmp/evil.csv": CSV}),
        3,
        "leads out of the archive",
    ),
    "a zip member with a drive": ("t.zip", lambda: zipped({"C:\\evil.csv": CSV}), 3, "leads out of the archive"),
    "a zip member that is a link": ("t.zip", lambda: zipped({"t.csv": b"/etc/passwd"}, link=True), 3, ""),
    "an encrypted zip": ("t.zip", lambda: zipped({"t.csv": CSV}, encrypted=True), 3, "encrypted"),
    "a zip of 2,000 tables": ("t.zip", lambda: zipped({f"{i}.csv": b"a,y" for i in range(2000)}), 3, "2000 files"),
    "a zip of a picture": ("t.zip", lambda: zipped({"t.csv": b"\x89PNG\r\n\x1a\n" + bytes(99)}), 3, "a PNG picture"),
    "a zip of a pickle": ("t.zip", lambda: zipped({"t.csv": pickle.dumps([1])}), 3, "a pickle"),
    "a zip of a web page": ("t.zip", lambda: zipped({"t.csv": b"<html><body>no"}), 3, "an HTML page"),
    "a zip of nothing": ("t.zip", lambda: zipped({}), 3, ""),
    "a zip of litter alone": ("t.zip", lambda: zipped({"__MACOSX/._t.csv": b"x", ".DS_Store": b"y"}), 3, ""),
    "a zip in a zip": ("t.zip", lambda: zipped({"t.zip": zipped({"t.csv": CSV})}), 3, ""),
    "a zip cut in half": ("t.zip", lambda: zipped({"t.csv": CSV})[: len(CSV) // 4], 3, "damaged zip"),
    "a zip that lies about its size": ("t.zip", lambda: _lying_zip(), 3, ""),
    "a zip bomb": ("t.zip", lambda: zipped({"t.csv": b"0" * (300 * MIB)}), 3, "unpacks to more than"),
    "a gzip bomb": ("t.csv.gz", _bomb(gzip.compress), 3, "unpacks to more than"),
    "a bzip2 bomb": ("t.csv.bz2", _bomb(lambda b: bz2.compress(b, 1), 200), 3, "unpacks to more than"),
    "an xz bomb": ("t.csv.xz", _bomb(lambda b: lzma.compress(b, preset=0), 200), 3, "unpacks to more than"),
    "a gzip of a gzip": ("t.csv.gz", lambda: gzip.compress(gzip.compress(CSV)), 3, "packed twice"),
    "a gzip of nothing": ("t.csv.gz", lambda: gzip.compress(b""), 3, "empty"),
    "a gzip of a web page": ("t.csv.gz", lambda: gzip.compress(b"<!doctype html>"), 3, "an HTML page"),
    "two gzips in a row": ("t.csv.gz", lambda: gzip.compress(CSV[:100]) + gzip.compress(CSV[100:]), 0, ""),
    "a tar archive": ("t.tar", lambda: tarred("t.csv"), 3, "a tar archive"),
    "a tar archive that leads outside": ("t.csv", lambda: tarred("../../t.csv"), 3, "a tar archive"),
    "a packed tar archive": ("t.tar.gz", lambda: gzip.compress(tarred("t.csv")), 3, "a tar archive"),
}
FOREIGN: Files = {
    "an old workbook": ("t.xls", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), 3, ""),
    "an old workbook named csv": ("t.csv", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), 3, ""),
    "an SQLite database": ("t.csv", lambda: b"SQLite format 3\0" + bytes(600), 3, "SQLite"),
    "an HDF5 file": ("t.h5", lambda: b"\x89HDF\r\n\x1a\n" + bytes(600), 3, "HDF5"),
    "an Avro file": ("t.avro", lambda: b"Obj\x01" + bytes(600), 3, "Avro"),
    "an ORC file": ("t.orc", lambda: b"ORC\0" + bytes(600), 3, "ORC"),
    "an R workspace": ("t.RData", lambda: b"RDX3\nX\n" + bytes(600), 3, "R workspace"),
    "a program": ("t.csv", lambda: b"\x7fELF" + bytes(600), 3, "a program"),
    "an array of objects": ("t.npz", lambda: _objects(), 3, ""),
    "an array that is no picture": ("t.npz", lambda: _npz(x=np.zeros((5, 2))), 3, ""),
    "random bytes": ("t.csv", lambda: np.random.default_rng(0).bytes(5000), 3, ""),
    "random bytes named parquet": ("t.parquet", lambda: np.random.default_rng(0).bytes(5000), 3, ""),
    "random bytes named xlsx": ("t.xlsx", lambda: np.random.default_rng(0).bytes(5000), 3, ""),
    "random bytes named feather": ("t.feather", lambda: np.random.default_rng(0).bytes(5000), 3, ""),
    "an SVG": ("t.csv", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", 3, "XML"),
    "source code": ("t.py", lambda: b"import os\nprint(os.getcwd())\n", 3, ""),
    "a WebP picture": ("t.csv", lambda: b"RIFF\0\0\0\0WEBP" + bytes(99), 3, "WebP"),
    "a 7-Zip archive": ("t.7z", lambda: b"7z\xbc\xaf\x27\x1c" + bytes(99), 3, "7-Zip"),
}
COLUMNAR: Files = {
    "a Parquet file": ("t.parquet", lambda: parquet(FRAME), 0, ""),
    "a Parquet file without rows": ("t.parquet", lambda: parquet(FRAME.iloc[:0]), 3, "no rows"),
    "a Parquet file cut off": ("t.parquet", lambda: parquet(FRAME)[:-30], 3, "not a sound Parquet file"),
    "a Parquet file with a flipped footer": (
        "t.parquet",
        lambda: _flipped(parquet(FRAME), -_footer(parquet(FRAME))),
        3,
        "Parquet",
    ),
    "a Parquet file with flipped pages": ("t.parquet", lambda: _flipped(parquet(FRAME), 40), 3, "Parquet"),
    "a Parquet file that claims a huge footer": ("t.parquet", lambda: _huge_footer(), 3, "Parquet"),
    "Parquet lists": ("t.parquet", lambda: arrow_parquet({"a": [[1, 2]] * N, "b": range(N)}), 3, "'a'"),
    "Parquet structures": ("t.parquet", lambda: arrow_parquet({"a": [{"k": 1}] * N, "b": range(N)}), 3, "'a'"),
    "Parquet bytes": ("t.parquet", lambda: arrow_parquet({"a": [b"\x00\xff"] * N, "b": list(FRAME["b"])}), 3, "'a'"),
    "Parquet decimals": ("t.parquet", lambda: _decimals(), 0, ""),
    "Parquet categories": ("t.parquet", lambda: parquet(FRAME.assign(b=FRAME["b"].astype("category"))), 0, ""),
    "Parquet instants": (
        "t.parquet",
        lambda: parquet(FRAME.assign(b=pd.date_range("2024", periods=N, tz="UTC"))),
        0,
        "",
    ),
    "Parquet durations": ("t.parquet", lambda: parquet(FRAME.assign(b=pd.to_timedelta(range(N), "s"))), 0, ""),
    "Parquet of integers that are missing": ("t.parquet", lambda: parquet(FRAME.assign(b=_holes())), 0, ""),
    "a Feather file": ("t.feather", lambda: feather(FRAME), 0, ""),
    "a Feather file cut off": ("t.feather", lambda: feather(FRAME)[:-30], 3, "Arrow"),
    "a Feather file flipped": ("t.feather", lambda: _flipped(feather(FRAME), -60), 3, ""),
}
LINES: Files = {
    "JSON lines": ("t.jsonl", jsonl(), 0, ""),
    "JSON lines with blank ones": ("t.jsonl", jsonl("", "", ""), 0, ""),
    "JSON lines of other keys": ("t.jsonl", jsonl('{"a": 1, "z": 5, "y": "n"}'), 0, "z"),
    "JSON lines with NaN": ("t.jsonl", jsonl('{"a": NaN, "b": 1, "y": "n"}'), 0, ""),
    "JSON lines with Infinity": ("t.jsonl", jsonl('{"a": -Infinity, "b": 1, "y": "n"}'), 0, ""),
    "JSON lines with objects": ("t.jsonl", jsonl('{"a": {"k": 1}, "b": 1, "y": "n"}'), 3, "'a'"),
    "JSON lines with a lone surrogate": ("t.jsonl", jsonl('{"a": 1, "b": "\\ud800", "y": "n"}'), 0, ""),
    "JSON lines with huge integers": ("t.jsonl", jsonl('{"a": 1' + "0" * 5000 + ', "b": 1, "y": "n"}'), 0, ""),
    "JSON lines with mixed types": ("t.jsonl", jsonl('{"a": true, "b": "x", "y": "n"}'), 0, ""),
    "JSON lines that end in the middle": ("t.jsonl", jsonl('{"a": 1, "b'), 3, "line 61"),
    "JSON lines of a null": ("t.jsonl", jsonl("null"), 3, "line 61"),
    "a JSON array": ("t.json", lambda: b"[" + jsonl()().replace(b"\n", b",")[:-1] + b"]", 0, ""),
    "a JSON object of columns": ("t.json", lambda: FRAME.to_json().encode(), 3, ""),
    "JSON nested ten thousand deep": ("t.jsonl", jsonl('{"a": ' + "[" * 10_000), 3, "line 61"),
    "an empty JSON array": ("t.json", lambda: b"[]", 3, ""),
    "ARFF": ("t.arff", lambda: _arff("3"), 0, ""),
    "ARFF with a word for a number": ("t.arff", lambda: _arff("three"), 3, "ARFF"),
    "ARFF without data": ("t.arff", lambda: b"@relation r\n@attribute a numeric\n@attribute y {n,p}\n@data\n", 3, ""),
}
BOOKS: Files = {
    "a workbook": ("t.xlsx", lambda: workbook(lambda book: write_rows(book.active)), 0, ""),
    "a workbook of two sheets": ("t.xlsx", lambda: workbook(_two_sheets), 0, "more"),
    "a workbook with formulas never computed": ("t.xlsx", lambda: workbook(_formulas), 0, ""),
    "a workbook with a hidden sheet": ("t.xlsx", lambda: workbook(_hidden), 0, ""),
    "a workbook with merged cells": ("t.xlsx", lambda: workbook(_merged), 0, ""),
    "a workbook with dates": ("t.xlsx", lambda: workbook(_dates), 0, ""),
    "a workbook with a cell far below": ("t.xlsx", lambda: workbook(_tall), 0, ""),
    "an empty workbook": ("t.xlsx", lambda: workbook(lambda book: None), 3, ""),
    "a workbook of entities": ("t.xlsx", _xml_bomb, 3, ""),
    "a workbook that unpacks to much": ("t.xlsx", _sheet_bomb, 3, ""),
    "a workbook with a password": ("t.xlsx", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), 3, ""),
    "a workbook cut off": ("t.xlsx", lambda: workbook(lambda book: write_rows(book.active))[:-400], 3, "damaged"),
}


def _npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _objects() -> bytes:
    return _npz(x=np.array([{"a": 1}], dtype=object), y=np.array([1]))


def _flipped(content: bytes, place: int) -> bytes:
    damaged = bytearray(content)
    damaged[place] ^= 0xFF
    return bytes(damaged)


def _footer(content: bytes) -> int:
    """How far from the end the directory of a Parquet file begins."""
    return int(struct.unpack("<I", content[-8:-4])[0]) + 8


def _huge_footer() -> bytes:
    return parquet(FRAME)[:-8] + struct.pack("<I", 0x7FFFFFF0) + b"PAR1"


def _decimals() -> bytes:
    from decimal import Decimal

    import pyarrow as pa

    values = pa.array([Decimal(i * 37 % 23) / 4 for i in range(N)], pa.decimal128(38, 2))
    return arrow_parquet({"a": values, "b": list(FRAME["b"])})


def _holes() -> Any:
    return pd.array([None if i % 9 == 1 else i for i in FRAME["b"]], dtype="Int64")


def _arff(cell: str) -> bytes:
    rows = "".join(f"{i * 37 % 23},{'np'[i % 3 == 0]}\n" for i in range(N))
    return f"@relation r\n@attribute a numeric\n@attribute y {{n,p}}\n@data\n{rows}{cell},n\n".encode()


def _lying_zip() -> bytes:
    """The directory says ten bytes; there are many more."""
    packed = bytearray(zipped({"t.csv": CSV}))
    struct.pack_into("<I", packed, packed.rindex(b"PK\x01\x02") + 24, 10)
    return bytes(packed)
