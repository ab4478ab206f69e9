"""Recipes, flags, paths and names: what is wrong around a table that is right."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.corpus import Case, Maker
from tests.corpus.containers import CSV

LINEAR = "search: {candidates: [linear]}\n"


def collect() -> Iterator[Case]:
    for name, (text, code, says) in RECIPES.items():
        yield Case("recipes", name, _with_recipe(text), code, says)
    for name, (flags, code, says, hint) in FLAGS.items():
        yield Case("flags", name, _with_flags(flags), code, says, hint)
    for name, (make, code, says) in PATHS.items():
        yield Case("paths", name, make, code, says)
    for name, (content, code, says) in STDIN.items():
        yield Case("stdin", name, lambda folder: ["plan", "-", "--target", "y", "--json"], code, says, stdin=content)


def _with_recipe(text: str | bytes) -> Maker:
    def make(folder: Path) -> list[str]:
        (folder / "t.csv").write_bytes(CSV)
        (folder / "mine.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
        return ["plan", "t.csv", "--target", "y", "--recipe", "mine.yaml", "--json"]

    return make


def _with_flags(flags: tuple[str, ...]) -> Maker:
    def make(folder: Path) -> list[str]:
        (folder / "t.csv").write_bytes(CSV)
        command, *rest = flags
        return [command, "t.csv", *rest]

    return make


def _alias_bomb() -> str:
    levels = "".join(f"b{i}: &b{i} [{', '.join([f'*b{i - 1}'] * 9)}]\n" for i in range(1, 9))
    return f"b0: &b0 [x]\n{levels}search: {{candidates: *b8}}\n"


RECIPES: dict[str, tuple[str | bytes, int, str]] = {
    "a good one": (LINEAR, 0, ""),
    "empty": ("", 2, "holds no recipe"),
    "a list": ("- search\n", 2, "holds no recipe"),
    "a word": ("balanced\n", 2, "holds no recipe"),
    "a key that is not there": ("serach: {}\n", 2, "Did you mean 'search'?"),
    "several faults at once": ("serach: {}\nbudget: {seconds: soon}\nseed: x\n", 2, "budget.seconds"),
    "Python by a tag": ("seed: !!python/object/apply:os.system ['touch pwned']\n", 2, "not valid YAML"),
    "a module by a tag": ("seed: !!python/module:os\n", 2, "not valid YAML"),
    "an alias bomb": (_alias_bomb(), 2, "not valid YAML"),
    "an alias of itself": ("search: &a {candidates: *a}\n", 2, ""),
    "nested a thousand deep": ("search: " + "{a: " * 1000 + "1" + "}" * 1000, 2, ""),
    "nested in lists": ("search: {candidates: " + "[" * 3000 + "]" * 3000 + "}", 2, ""),
    "a key twice": ("seed: 1\nseed: 2\n", 2, "key given twice"),
    "five megabytes": ("# " + "x" * 5_000_000, 2, "larger than 4 MiB"),
    "half a megabyte of one line": (b"x" * 500_000, 2, "holds no recipe"),
    "Latin-1": ("# r\xe9sum\xe9\n".encode("latin-1"), 2, "not UTF-8"),
    "UTF-16": (LINEAR.encode("utf-16"), 2, ""),
    "NUL bytes": (b"seed: \0\n", 2, "not valid YAML"),
    "tabs for blanks": ("search:\n\tcandidates: [linear]\n", 2, "not valid YAML"),
    "two documents": ("seed: 1\n---\nseed: 2\n", 2, ""),
    "no for a name": ("data: {positive: no}\n", 2, "quotes"),
    "an octal seed": ("seed: 012\n", 0, ""),
    "a time of the day for seconds": ("budget: {seconds: 1:30}\n", 0, ""),
    "1e3 for seconds": ("budget: {seconds: 1e3}\n", 0, ""),
    "infinite seconds": ("budget: {seconds: .inf}\n", 2, "budget.seconds"),
    "seconds that are none": ("budget: {seconds: .nan}\n", 2, "budget.seconds"),
    "negative seconds": ("budget: {seconds: -5}\n", 2, "budget.seconds"),
    "a year of seconds": ("budget: {seconds: 1.0e300}\n", 0, ""),
    "no trials": ("budget: {trials: 0}\n", 2, "budget.trials"),
    "half a trial": ("budget: {trials: 1.5}\n", 2, "budget.trials"),
    "minus two jobs": ("budget: {jobs: -2}\n", 2, "budget.jobs"),
    "a seed beyond 64 bits": ("seed: 99999999999999999999999\n", 2, "seed"),
    "a negative seed": ("seed: -1\n", 2, "seed"),
    "one fold": ("split: {folds: 1}\n", 0, ""),
    "a thousand folds": ("split: {folds: 1000}\n", 2, "split.folds"),
    "a family of no name": ("search: {candidates: ['']}\n", 2, ""),
    "a family that is a path": ("search: {candidates: [../../etc/passwd]}\n", 2, "Unknown model"),
    "a family that is a module": ("search: {candidates: [os.path]}\n", 2, "Unknown model"),
    "no families": ("search: {candidates: []}\n", 2, "search.candidates"),
    "a family that is misspelt": ("search: {candidates: [xgbost]}\n", 2, "'xgbost'"),
    "a metric that is misspelt": ("metric: roc_acu\n", 2, "'roc_acu'"),
    "a role that is none": ("data: {roles: {a: numbre}}\n", 2, "numbre"),
    "a template": ("metric: '{{ 7*7 }}'\n", 2, "7*7"),
    "a variable": ("metric: $HOME\n", 2, "$HOME"),
    "a word that steers a terminal": ('metric: "\\e[2J"\n', 2, ""),
    "a date that is none": ("seed: 2026-99-99\n", 2, ""),
    "a set": ("search: !!set {candidates}\n", 2, ""),
    "bytes": ("metric: !!binary aGVsbG8=\n", 2, ""),
    "thirty thousand keys": ("".join(f"k{i}: 1\n" for i in range(20_000)), 2, "is not a key here"),
    "a key that is a list": ("? [a, b]\n: 1\n", 2, ""),
    "keys that are numbers": ("1: 2\n", 2, "1"),
}
FLAGS: dict[str, tuple[tuple[str, ...], int, str, str]] = {
    "a time of words": (("fit", "-t", "y", "--time", "soon"), 2, "'soon'", "--time 5m"),
    "a negative time": (("fit", "-t", "y", "--time=-5s"), 2, "'-5s'", "--time 5m"),
    "an infinite time": (("fit", "-t", "y", "--time", "inf"), 2, "'inf'", "--time 5m"),
    "a time of 400 digits": (("fit", "-t", "y", "--time", "9" * 400), 2, "", ""),
    "a time of Arabic digits": (("plan", "-t", "y", "--time", "٥s"), 0, "", ""),
    "no time at all": (("fit", "-t", "y", "--time", "0"), 2, "budget.seconds", ""),
    "an empty time": (("fit", "-t", "y", "--time", ""), 2, "''", "--time 5m"),
    "no trials": (("fit", "-t", "y", "--trials", "0"), 2, "budget.trials", ""),
    "trials of words": (("fit", "-t", "y", "--trials", "many"), 2, "'many'", "automl fit --help"),
    "negative jobs": (("fit", "-t", "y", "--jobs", "-3"), 2, "budget.jobs", ""),
    "no memory": (("fit", "-t", "y", "--memory", "0"), 2, "", ""),
    "memory of words": (("fit", "-t", "y", "--memory", "lots"), 2, "'lots'", "--memory 4G"),
    "a latency of words": (("fit", "-t", "y", "--max-latency", "fast"), 2, "'fast'", "--max-latency"),
    "a seed of words": (("fit", "-t", "y", "--seed", "abc"), 2, "'abc'", ""),
    "a role without a column": (("fit", "-t", "y", "--role", "=number"), 2, "'=number'", ""),
    "a role of no column": (("plan", "-t", "y", "--role", "zz=number"), 3, "'zz'", ""),
    "a role that is none": (("plan", "-t", "y", "--role", "a=numbre"), 2, "numbre", ""),
    "the target as a group": (("plan", "-t", "y", "--group", "y"), 3, "'y'", "--group"),
    "the target dropped": (("plan", "-t", "y", "--drop", "y"), 3, "'y'", "--drop"),
    "every column dropped": (("plan", "-t", "y", "--drop", "a", "--drop", "b"), 3, "No column", ""),
    "a column as group and weight": (("plan", "-t", "y", "--group", "b", "--weight", "b"), 0, "", ""),
    "a time column of numbers": (("plan", "-t", "y", "--time-column", "b"), 0, "", ""),
    "a time column of words": (("plan", "-t", "a", "--time-column", "y"), 3, "'y'", "2024-01-31"),
    "a weight of words": (("plan", "-t", "a", "--weight", "y"), 3, "'y'", ""),
    "an empty target": (("plan", "-t", ""), 2, "", ""),
    "a target that steers a terminal": (("plan", "-t", "\x1b[2Jy"), 3, "", ""),
    "a target of a megabyte": (("plan", "-t", "y" * 100_000), 3, "", ""),
    "an encoding that is none": (("plan", "-t", "y", "--encoding", "utf-9"), 2, "'utf-9'", ""),
    "an encoding that is no text": (("plan", "-t", "y", "--encoding", "base64"), 2, "'base64'", ""),
    "an encoding that is code": (("plan", "-t", "y", "--encoding", "../x"), 2, "", ""),
    "a metric of another task": (("plan", "-t", "y", "--metric", "rmse"), 2, "'rmse'", ""),
    "a task of another target": (("plan", "-t", "y", "--task", "regression"), 3, "", ""),
    "a positive class that is none": (("plan", "-t", "y", "--positive", "q"), 3, "'q'", ""),
    "an option that is none": (("plan", "-t", "y", "--tarhet"), 2, "--tarhet", "--help"),
    "a file too many": (("plan", "u.csv", "v.csv", "-t", "y"), 2, "", ""),
    "a test file that is not there": (("plan", "-t", "y", "--test", "u.csv"), 3, "u.csv", ""),
    "a recipe that is not there": (("plan", "-t", "y", "--recipe", "blanced"), 2, "'blanced'", "balanced"),
    "a recipe file that is not there": (("plan", "-t", "y", "--recipe", "u.yaml"), 2, "u.yaml", ""),
    "a backbone that is not there": (("fit", "-t", "y", "--backbone", "bert-base"), 2, "nothing is downloaded", ""),
    "weights that are not there": (
        ("fit", "-t", "y", "--backbone", "net.weights.h5"),
        2,
        "nothing is downloaded",
        ".keras",
    ),
    "embeddings that are not there": (("fit", "-t", "y", "--embeddings", "glove.txt"), 3, "glove.txt", ""),
    "a group for fairness that is not there": (("fit", "-t", "y", "--sensitive", "sex"), 3, "'sex'", ""),
    "an output in a file": (("fit", "-t", "y", "--out", "t.csv"), 2, "t.csv", "--out"),
    "an output of 300 letters": (("fit", "-t", "y", "--time", "3s", "--out", "a" * 300), 5, "", "--out"),
}


def _path(name: str, arrange: Callable[[Path], object] | None = None) -> Maker:
    def make(folder: Path) -> list[str]:
        if arrange is not None:
            arrange(folder)
        return ["plan", "--target", "y", "--json", "--", name]

    return make


def _good(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(CSV)


def _linked(folder: Path) -> None:
    (folder / "real.csv").write_bytes(CSV)
    (folder / "t.csv").symlink_to("real.csv")


def _circle(folder: Path) -> None:
    (folder / "a.csv").symlink_to("b.csv")
    (folder / "b.csv").symlink_to("a.csv")


PATHS: dict[str, tuple[Maker, int, str]] = {
    "a link": (_path("t.csv", _linked), 0, ""),
    "a link to nothing": (_path("t.csv", lambda folder: (folder / "t.csv").symlink_to("gone.csv")), 3, "no file"),
    "links in a circle": (_path("a.csv", _circle), 3, "Cannot read"),
    "a pipe that nobody writes": (_path("pipe", lambda folder: os.mkfifo(folder / "pipe")), 3, "not a regular file"),
    "/dev/zero": (_path("/dev/zero"), 3, "not a regular file"),
    "/dev/null": (_path("/dev/null"), 3, ""),
    "/proc/self/environ": (_path("/proc/self/environ"), 3, ""),
    "a folder of nothing": (_path(".", None), 3, "folder"),
    "a folder of tables": (_path(".", _good("t.csv")), 3, "folder"),
    "a name of 300 letters": (_path("a" * 300), 3, ""),
    "a path of 5,000 letters": (_path("a/" * 2500), 3, ""),
    "a path with NUL": (_path("a\0b.csv".replace("\0", "\x01")), 3, "no file"),
    "a web address": (_path("https://127.0.0.1/t.csv"), 3, "never uses the network"),
    "a web address with a password": (_path("https://me:hunter2@127.0.0.1/t.csv"), 3, "never uses the network"),
    "a bucket": (_path("s3://bucket/t.csv"), 3, "never uses the network"),
    "a file address": (_path("file:///etc/passwd"), 3, "never uses the network"),
    "a database address": (_path("postgresql://me:hunter2@127.0.0.1/db"), 3, "never uses the network"),
    "a file in a file": (_path("t.csv/u.csv", _good("t.csv")), 3, ""),
    "blanks in the name": (_path("my table.csv", _good("my table.csv")), 0, ""),
    "a line end in the name": (_path("a\nb.csv", _good("a\nb.csv")), 0, ""),
    "a name like an option": (_path("--target.csv", _good("--target.csv")), 0, ""),
    "per cent in the name": (_path("100%s.csv", _good("100%s.csv")), 0, ""),
    "an escape in the name": (_path("\x1b[2J.csv", _good("\x1b[2J.csv")), 0, ""),
    "a name that is not UTF-8": (_path(os.fsdecode(b"\xff\xfe.csv"), _good(os.fsdecode(b"\xff\xfe.csv"))), 0, ""),
    "a name without an ending": (_path("table", _good("table")), 0, ""),
    "a name of another case": (_path("T.csv", _good("t.csv")), 3, "no file"),
}
STDIN: dict[str, tuple[bytes, int, str]] = {
    "a table": (CSV, 0, ""),
    "nothing": (b"", 3, "is empty"),
    "a web page": (b"<html>", 3, "an HTML page"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(99), 3, "a PNG picture"),
    "a pickle": (b"\x80\x04\x95\x05\0\0\0\0\0\0\0]\x94.", 3, "a pickle"),
}
