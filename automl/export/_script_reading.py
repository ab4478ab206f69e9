"""The part of a script that reads: cells become what they were in training, and what was missing there is so here."""

from __future__ import annotations

import re
import unicodedata

from automl.data.formats import MISSING
from automl.export._script_parts import LONGEST, Raw, Winner, literal
from automl.schema import CellFormat, Role, Schema
from automl.task import Task

PLAIN = {"sep": ","}


def write_reading(winner: Winner) -> str:
    schema, task = winner.schema, winner.task
    lines = [
        "def read_rows(path: Path) -> pd.DataFrame:",
        '    """Numbers as numbers, dates as dates, categories as text; what cannot be read is missing."""',
        *_read_file(winner),
        '    rows = rows.apply(lambda column: column.str.strip()).replace("", np.nan)',
        *_clear_marks(schema),
        *_unify_numbers(schema, task),
    ]
    for column in schema.of(Role.NUMBER):
        lines += _clean_number(literal(column.name), column.format)
    lines += [
        "    for name in NUMBERS:  # beyond float32 a number is infinite to models, and counts as missing",
        '        rows[name] = pd.to_numeric(rows[name], errors="coerce").astype("float64")',
        '        rows[name] = rows[name].where(rows[name].abs() <= np.finfo("float32").max)',
    ]
    for column in schema.of(Role.DATE):
        lines += _read_moments(literal(column.name), column.format.date_format or "iso")
    if winner.group is not None:
        lines += _clear(f"rows[{literal(winner.group)}]", MISSING)
    if winner.time is not None:
        lines += _read_moments(literal(winner.time), winner.time_format)
    lines.append("    rows[CATEGORIES] = rows[CATEGORIES].astype(object)")
    lines += _read_target(task)
    lines.append("    return rows")
    return "\n".join(lines)


def _read_file(winner: Winner) -> list[str]:
    reading = {**(winner.reading or PLAIN), "dtype": Raw("str"), "keep_default_na": False}
    given = ["path", *(f"{name}={literal(value)}" for name, value in reading.items())]
    line = f"    rows = pd.read_csv({', '.join(given)})"
    lines = [line]
    if len(line) > LONGEST:
        lines = ["    rows = pd.read_csv(", *(f"        {each}," for each in given), "    )"]
    if "header" in reading:
        return [*lines, '    rows.columns = [f"column_{place + 1}" for place in rows.columns]']
    names = [*(column.name for column in winner.schema.columns), winner.task.target]
    form = "" if all(map(str.isascii, names)) else '.str.normalize("NFC")'
    return [*lines, f"    rows.columns = rows.columns.str.strip(){form}"]


def _clear_marks(schema: Schema) -> list[str]:
    lines = []
    for marks, names in _group_marks(schema).items():
        where = "CATEGORIES" if names == [column.name for column in schema.of(Role.CATEGORY)] else literal(names)
        lines += _clear(f"rows[{where}]", marks)
    return lines


def _clear(cells: str, marks: tuple[str, ...]) -> list[str]:
    """Lines that make what means "no value" in `cells`, which is code, missing."""
    listed = ["    missing = [", *(f"        {literal(mark)}," for mark in marks), "    ]"]
    return [*listed, f"    {cells} = {cells}.replace(missing, np.nan)"] if marks else []


def _group_marks(schema: Schema) -> dict[tuple[str, ...], list[str]]:
    """What stands for a missing value in a category, in a number only where it is a number itself: marks → columns."""
    by_marks: dict[tuple[str, ...], list[str]] = {}
    for column in schema.of(Role.CATEGORY, Role.NUMBER):
        marks = column.format.missing
        if column.role is Role.NUMBER:
            marks = tuple(mark for mark in marks if mark.strip().lstrip("+-").replace(".", "", 1).isdigit())
        if marks:
            by_marks.setdefault(marks, []).append(column.name)
    return by_marks


def _unify_numbers(schema: Schema, task: Task) -> list[str]:
    """Lines that give signs and blanks of typographers their plain form, as `automl.cells.read_number` does."""
    names = (["*NUMBERS"] if schema.of(Role.NUMBER) else []) + (["TARGET"] if _is_number(task) else [])
    if not names:
        return []
    listed = "NUMBERS" if names == ["*NUMBERS"] else f"[{', '.join(names)}]"
    return [
        f"    for name in {listed}:  # blanks, minus signs and apostrophes as on a keyboard",
        '        plain = rows[name].astype(object).str.normalize("NFKC")',
        '        rows[name] = plain.str.replace("\\u2212", "-").str.replace("\\u2019", "\'")',
    ]


def _is_number(task: Task) -> bool:
    return not task.is_classification or task.label_type in ("int", "float")


def _clean_number(name: str, form: CellFormat) -> list[str]:
    """Lines that make plain numbers of the texts in a column; `name` is code."""
    steps = []
    if form.negative:
        steps.append((r"^\(\s*(.*?)\s*\)$" if form.negative == "()" else r"^([^+-].*?)\s*-$", r'r"-\1"'))
    prefix, suffix = (re.escape(unicodedata.normalize("NFKC", unit)) for unit in (form.prefix, form.suffix))
    if prefix:
        steps.append((rf"^([+-]?)\s*{prefix}\s*", r'r"\1"'))
    if suffix:
        steps.append((rf"\s*{suffix}$", '""'))
    if form.thousands:  # only before three digits: 1.5 is plain, though dots stand between thousands
        mark = re.escape(form.thousands).replace("\\ ", " ")
        steps.append((rf"(?<=\d){mark}(?=\d{{3}}(?!\d))", '""'))
    lines = [f'    rows[{name}] = rows[{name}].str.replace(r"{pattern}", {by}, regex=True)' for pattern, by in steps]
    if form.decimal != ".":
        lines.append(f'    rows[{name}] = rows[{name}].str.replace({literal(form.decimal)}, ".", regex=False)')
    return lines


def _read_moments(name: str, form: str) -> list[str]:
    """Lines that make moments in UTC, without a zone, of the texts in a column, or numbers if `form` is ""."""
    number = f'pd.to_numeric(rows[{name}], errors="coerce")'
    if not form:
        return [f"    rows[{name}] = {number}"]
    if form in ("epoch_s", "epoch_ms"):
        return [f'    rows[{name}] = pd.to_datetime({number}, unit="{form[6:]}", errors="coerce")']
    shape = '"ISO8601"' if form == "iso" else literal(form)
    return [
        f'    moments = pd.to_datetime(rows[{name}], format={shape}, errors="coerce", utc=True)',
        f"    rows[{name}] = moments.dt.tz_localize(None)",
    ]


def _read_target(task: Task) -> list[str]:
    if not task.is_classification:
        number = '    rows[TARGET] = pd.to_numeric(rows[TARGET], errors="coerce")'
        return [*_clean_number("TARGET", task.format), number]
    if task.label_type in ("int", "float"):
        return ['    rows[TARGET] = pd.to_numeric(rows[TARGET], errors="coerce")']
    if task.label_type == "bool":
        words = '{"true": True, "1": True, "false": False, "0": False}'
        return [f"    rows[TARGET] = rows[TARGET].str.lower().map({words})"]
    form = "" if all(map(str.isascii, task.classes)) else '.str.normalize("NFC")'
    return [*_clear("rows[TARGET]", task.format.missing), f"    rows[TARGET] = rows[TARGET]{form}.astype(object)"]
