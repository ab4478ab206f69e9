"""Text tables: comma, tab, semicolon or bar separated, every cell read as text."""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from automl.data.dialect import SPACES, Dialect, sniff
from automl.data.encoding import decode
from automl.data.table import RawTable, Source
from automl.errors import DataError
from automl.recipe import DataOptions
from automl.schema import Notice

if TYPE_CHECKING:
    import pandas as pd

MAX_FIELD_BYTES = 10 << 20
MAX_COLUMNS = 100_000
# Read at once of a large file; no row may be longer.
STREAM_BYTES = 16 << 20
SHORT_BYTES = 1 << 20
FIRST_NAME = "column_1"  # of a first column without a name that is no index
_OTHER = {
    ".parquet",
    ".feather",
    ".arrow",
    ".xlsx",
    ".xls",
    ".ods",
    ".xlsm",
    ".xlsb",
    ".pkl",
    ".pickle",
    ".orc",
    ".npz",
}


class CsvReader:
    """Every text file that no other format claims."""

    def claims(self, path: Path, head: bytes) -> bool:
        return path.suffix.lower() not in _OTHER and not re.match(rb"\s*(\{|\[\s*[{\[])", head)

    def read(self, source: Source, options: DataOptions) -> RawTable:
        data, notices = decode(source.data, options.encoding, source.name)
        if not data.strip():
            raise DataError(f"{source.name} holds only blank lines", hint="Check that the export was completed")
        dialect = sniff(data, source.suffix, known=_used_names(options))
        notices = [*notices, *dialect.notices]
        columns, header = _read_columns(data, dialect, source.name)
        is_kept = _is_known(header, options)
        names, columns = _settle_names(header, columns, notices, is_kept=is_kept)
        _refuse_duplicates(names, source.name)
        table = pa.table(columns, names=names)
        table = _drop_repeated_headers(table, header, notices)
        if not is_kept and _has_index(table, header):
            table = _drop_index(table, notices)
        _refuse_huge_fields(table, source.name)
        return RawTable(frame=to_frame(table), notices=tuple(notices), separator=dialect.separator)

    def stream(self, head: Source, options: DataOptions) -> Iterator[RawTable] | None:
        """None for what the fast parser cannot cut alone: blanks as separators, other encodings than UTF-8, and columns
        without a name but for the first."""
        complete = head.data[: head.data.rfind(b"\n") + 1]
        if options.encoding is not None or not _is_utf8(complete):
            return None
        mark = len(codecs.BOM_UTF8) if complete.startswith(codecs.BOM_UTF8) else 0
        complete = complete[mark:]
        dialect = sniff(complete, head.suffix, known=_used_names(options))
        if dialect.separator == SPACES or dialect.padded:
            return None
        header, extra = _header(complete, dialect, head.name)
        first, *others = map(clean_name, header)
        if extra or not all(others) or (not first and FIRST_NAME in others):
            return None
        return _stream(head, dialect, header, is_kept=_is_known(header, options))


plugin = CsvReader()


def _is_utf8(data: bytes) -> bool:
    try:
        return bool(data) and b"\0" not in data and bool(data.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _used_names(options: DataOptions) -> set[str]:
    """Columns that a model, or the user, has a use for."""
    return {name for name, role in options.roles.items() if role != "ignore"}


def _is_known(header: list[str], options: DataOptions) -> bool:
    """Whether the first column is used by the name that it has unless it is an index."""
    first, *others = map(clean_name, header)
    name = first or FIRST_NAME
    return name in _used_names(options) and name not in others


def _stream(head: Source, dialect: Dialect, header: list[str], *, is_kept: bool) -> Iterator[RawTable]:
    """The blocks of the file as tables; a fault names what is wrong as far as one block shows it."""
    first = [*dialect.notices]
    names = [f"f{index}" for index in range(len(header))]
    labels = header if dialect.has_header else [f"column_{index + 1}" for index in range(len(header))]
    labels = [clean_name(label) or FIRST_NAME for label in labels]
    _refuse_duplicates(labels, head.name)
    before, has_index = 0, None
    try:
        for batch in arrow_csv.open_csv(head.path, **_options(dialect, names, STREAM_BYTES)):
            table = pa.Table.from_batches([batch]).rename_columns(labels)
            notices, first = first, []
            rows = table.num_rows
            table = _drop_repeated_headers(table, header if dialect.has_header else [], notices)
            if has_index is None:
                has_index = not is_kept and _has_index(table, header if dialect.has_header else [])
                if not has_index and dialect.has_header and not clean_name(header[0]):
                    notices.append(_tell_nameless(0))
            if has_index:
                table = _drop_index(table, notices if before == 0 else [])
            _refuse_huge_fields(table, head.name)
            yield RawTable(frame=to_frame(table), notices=tuple(notices), separator=dialect.separator)
            before += rows
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise _explain_block(head.name, before, str(error).split("\n")[0][:120]) from error


def _explain_block(name: str, before: int, reason: str) -> DataError:
    if "utf" in reason.lower():
        return DataError(
            f"{name} is not UTF-8 throughout: after row {before:,} there are bytes of another encoding",
            hint="Say which, such as --encoding cp1252",
        )
    return DataError(
        f"{name} cannot be read as CSV after row {before:,}: {reason}",
        hint="Mend what follows that row: a field that holds the separator must stand in quotes",
    )


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Arrow strings as pandas `str` columns, without copying."""
    import pandas as pd

    kind = pd.StringDtype(na_value=float("nan"))
    return pd.DataFrame(
        {
            name: pd.array(column.cast(pa.large_string()), dtype=kind)
            for name, column in zip(table.column_names, table.columns, strict=True)
        },
        copy=False,
    )


def _read_columns(data: bytes, dialect: Dialect, name: str) -> tuple[list[Any], list[str]]:
    """The columns as text, and the header's cells ("" where there is none)."""
    if dialect.separator == SPACES or dialect.padded:
        data, dialect = _normalize(data, dialect, name)
    if data.count(dialect.quote.encode()) % 2 and not dialect.escape:
        _refuse_open_quote(data, dialect, name)
    header, extra = _header(data, dialect, name)
    width = len(header) + extra
    if width > MAX_COLUMNS:
        raise DataError(
            f"{name} has {width:,} columns", hint=f"At most {MAX_COLUMNS:,} can be read; give fewer of them"
        )
    names = [f"f{index}" for index in range(width)]
    try:
        table = _parse(data, dialect, names)
    except pa.ArrowInvalid as error:
        raise _explain(data, dialect, name, error) from error
    columns = list(table.columns)
    if extra:
        filled = pc.fill_null(pc.not_equal(columns.pop(), ""), False)
        if pc.any(filled).as_py():
            raise _explain(data, dialect, name, None)
    if not dialect.has_header:
        header = [f"column_{index + 1}" for index in range(len(header))]
    return columns, header


def _parse(data: bytes, dialect: Dialect, names: list[str]) -> pa.Table:
    if len(names) == 1:
        data = data.rstrip(b"\r\n")  # blank lines at the end are the editor's
    if len(data) < SHORT_BYTES and not data.endswith(b"\n"):
        data += b"\n"  # one line without an end is beyond the fast parser
    longest = max(1 << 20, min(len(data), 16 << 20))
    for block_size in (longest, min(len(data) + 16, 2**31 - 1)):
        try:
            return arrow_csv.read_csv(pa.BufferReader(data), **_options(dialect, names, block_size))
        except pa.ArrowInvalid as error:
            if "straddl" not in str(error) and "block" not in str(error):
                raise
            last = error
    raise last


def _options(dialect: Dialect, names: list[str], block_size: int) -> dict[str, Any]:
    """What the fast parser is told: all cells are texts, empty ones are missing."""
    return {
        "read_options": arrow_csv.ReadOptions(
            column_names=names,
            skip_rows=dialect.skip_lines,
            skip_rows_after_names=1 if dialect.has_header else 0,
            block_size=block_size,
        ),
        "parse_options": arrow_csv.ParseOptions(
            delimiter=dialect.separator,
            quote_char=dialect.quote,
            escape_char=dialect.escape or False,
            newlines_in_values=True,
            ignore_empty_lines=len(names) > 1,  # the missing cell of a table of one column is a blank line
        ),
        "convert_options": arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    }


def _rows(data: bytes, dialect: Dialect, *, strict: bool = False) -> tuple[Any, io.StringIO]:
    text = io.StringIO(data.decode("utf-8"), newline="")
    for _ in range(dialect.skip_lines):
        text.readline()
    csv.field_size_limit(1 << 30)
    reader = csv.reader(
        text,
        delimiter=dialect.separator,
        quotechar=dialect.quote,
        escapechar=dialect.escape or None,
        skipinitialspace=dialect.padded,
        strict=strict,
    )
    return reader, text


def _header(data: bytes, dialect: Dialect, name: str) -> tuple[list[str], int]:
    """The cells of the first row, and 1 if every row below has one more, empty, field (a comma at each line's end).

    Raises:
        DataError: if there is no row.
    """
    reader, _ = _rows(data, dialect)
    rows: list[list[str]] = []
    for row in reader:
        if row:
            rows.append(row)
        if len(rows) > 100:
            break
    if not rows:
        raise DataError(f"{name} has no header and no rows", hint="Check that the export was completed")
    header, below = rows[0], rows[1:]
    extra = bool(below) and all(len(row) == len(header) + 1 and not row[-1].strip() for row in below)
    return header, int(extra)


def _normalize(data: bytes, dialect: Dialect, name: str) -> tuple[bytes, Dialect]:
    """Blanks as separators, and blanks before quotes, are beyond the fast parser: rewrite them as plain CSV."""
    if dialect.separator == SPACES:
        lines = data.decode("utf-8").splitlines()[dialect.skip_lines :]
        rows: Any = (line.split() for line in lines if line.strip())
    else:
        rows = (row for row in _rows(data, dialect)[0] if row)
    written = io.StringIO()
    try:
        csv.writer(written, lineterminator="\n").writerows(rows)
    except csv.Error as error:
        raise _explain(data, dialect, name, error) from error
    plain = Dialect(skip_lines=0, has_header=dialect.has_header)
    return written.getvalue().encode("utf-8"), plain


def _refuse_open_quote(data: bytes, dialect: Dialect, name: str) -> None:
    """An odd number of quotes is fine inside words, but not where one opens a field and none closes it."""
    reader, _ = _rows(data, dialect, strict=True)
    line = dialect.skip_lines + 1
    try:
        for _ in reader:
            line = dialect.skip_lines + reader.line_num + 1
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise DataError(
                f"{name}: a quote opens in line {line} and is never closed",
                hint="Close it, or write a quote inside quotes twice",
            ) from error


def _explain(data: bytes, dialect: Dialect, name: str, error: Exception | None) -> DataError:
    """The user's version of a failed parse: the first row whose fields do not match the header."""
    reader, _ = _rows(data, dialect)
    expected = 0
    start = dialect.skip_lines + 1
    try:
        for row in reader:
            if row and expected and len(row) != expected:
                return DataError(
                    f"{name}: line {start} has {len(row)} fields, the header has {expected}",
                    hint="Mend that line: a field that holds the separator must stand in quotes"
                    if len(row) > expected
                    else "Mend that line; if it is the last one, the file may be cut off",
                )
            expected = expected or len(row)
            start = dialect.skip_lines + reader.line_num + 1
    except csv.Error as fault:
        error = error or fault
    first = str(error).split("\n")[0][:120] if error else "its rows do not agree"
    return DataError(f"{name} cannot be read as CSV: {first}", hint="Export it again as UTF-8 with quotes round texts")


def clean_name(name: str) -> str:
    """A column's name without surrounding space and byte order mark, in Unicode form NFC."""
    return unicodedata.normalize("NFC", name.strip().strip("\ufeff").strip())


def _settle_names(
    header: list[str], columns: list[Any], notices: list[Notice], *, is_kept: bool
) -> tuple[list[str], list[Any]]:
    """Names and columns without an empty last one; the first is nameless if it is an index and not kept."""
    names = [clean_name(cell) for cell in header]
    if len(names) > 1 and not names[-1] and columns[-1].null_count == len(columns[-1]):
        notices.append(
            Notice(topic="columns", text="dropped an empty last column", reason="every line ends with a separator")
        )
        names, columns = names[:-1], columns[:-1]
    elif len(columns) > len(names):
        columns = columns[: len(names)]
    for index, name in enumerate(names):
        if not name and (index > 0 or is_kept or not _is_whole(columns[0])):
            names[index] = f"column_{index + 1}"
            notices.append(_tell_nameless(index))
    return names, columns


def _tell_nameless(index: int) -> Notice:
    text = f"column {index + 1} is called column_{index + 1}"
    return Notice(topic="columns", text=text, reason="its name is empty")


def _refuse_duplicates(names: list[str], where: str) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        listed = ", ".join(repr(name) for name in twice[:5]) + (" …" if len(twice) > 5 else "")
        raise DataError(f"{where} has columns of the same name: {listed}", hint="Rename them in the header line")


def _is_whole(column: Any) -> bool:
    """Whether the cells are whole numbers and many, as an index has them: 0, 1, 2, …, or what a sample or a join left
    of it."""
    if len(column) == 0 or column.null_count or 10 * pc.count_distinct(column).as_py() < len(column):
        return False
    try:
        return bool(pc.min(pc.cast(column, pa.int64())).as_py() >= 0)
    except pa.ArrowInvalid:
        return False


def _has_index(table: pa.Table, header: list[str]) -> bool:
    unnamed = bool(header) and clean_name(header[0]) in ("", "Unnamed: 0")
    return unnamed and table.num_columns > 1 and _is_whole(table.column(0))


def _drop_index(table: pa.Table, notices: list[Notice]) -> pa.Table:
    reason = "it numbers the rows, as an index does"
    notices.append(Notice(topic="columns", text="dropped the unnamed first column", reason=reason))
    return table.remove_column(0)


def _drop_repeated_headers(table: pa.Table, header: list[str], notices: list[Notice]) -> pa.Table:
    if not table.num_rows or not header or table.num_columns == 1:  # a text may well be the column's name
        return table
    same = None
    for name, column in zip(header, table.columns, strict=False):
        if name:
            equal = pc.fill_null(pc.equal(column, name), False)
            if not pc.any(equal).as_py():
                return table
            same = equal if same is None else pc.and_(same, equal)
    if same is None or not pc.any(same).as_py():
        return table
    count = pc.sum(same).as_py()
    notices.append(
        Notice(
            topic="rows", text=f"dropped {count} row(s) that repeat the header", reason="files were joined, it seems"
        )
    )
    return table.filter(pc.invert(same))


def _refuse_huge_fields(table: pa.Table, name: str) -> None:
    for label, column in zip(table.column_names, table.columns, strict=True):
        if column.nbytes < MAX_FIELD_BYTES:
            continue
        lengths = pc.fill_null(pc.binary_length(column), 0)
        if (pc.max(lengths).as_py() or 0) > MAX_FIELD_BYTES:
            row = pc.index(pc.greater(lengths, MAX_FIELD_BYTES), True).as_py() + 1
            raise DataError(
                f"{name}: the cell in row {row}, column {label!r} holds more than 10 MiB",
                hint="A quote that is never closed swallows what follows; or leave that column out",
            )
