"""The dialect of a text table: separator, quotes, title lines, header or none, judged on its first rows."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
import statistics
from collections import Counter
from collections.abc import Collection

from automl.schema import Notice

SEPARATORS = (",", ";", "\t", "|")
SPACES = "  "  # stands for runs of blanks
HEAD_BYTES = 256 * 1024
HEAD_ROWS = 400
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", SPACES: "blanks"}
_DECLARED = re.compile(r'^"?sep=([,;|:^~\t ])"?\r?\n', re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_FRACTION = re.compile(r"[+-]?\d*[.,]\d+(?:[eE][+-]?\d+)?", re.ASCII)
_OPENED = re.compile(r"(?:^|[,;\t|])'", re.MULTILINE)
_SINGLE = re.compile(r"(?:^|[,;\t|])'[^'\n]*'(?=[,;\t|\r\n]|$)", re.MULTILINE)
MANY_QUOTED = 4  # cells: a text or two may be in single quotes without a meaning
ALONE_SHARE = 0.01  # of the cells: where fewer are alone with their value, the first row's has others like it


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How the lines of a text table are cut.

    Attributes:
        separator: between fields; `SPACES` for runs of blanks.
        quote: around fields that hold separators or line ends.
        escape: before a quote inside quotes where quotes are not doubled; "" usually.
        skip_lines: lines before the header (a declared separator, titles, comments).
        has_header: whether the first row gives names.
        padded: whether a blank follows each separator, so that quotes stand after it.
        notices: the guesses that a user should see.
    """

    separator: str = ","
    quote: str = '"'
    escape: str = ""
    skip_lines: int = 0
    has_header: bool = True
    padded: bool = False
    notices: tuple[Notice, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class _Fit:
    """How well a separator cuts the head: the share of rows with the usual number of fields, and that number."""

    separator: str
    share: float
    fields: int
    first: int  # index of the first row with the usual number of fields
    names: int  # fields of the first row

    @property
    def rank(self) -> tuple[bool, bool, float, int]:
        return (self.fields > 1, self.names == self.fields, round(self.share, 2), self.fields)


def sniff(data: bytes, suffix: str = "", *, known: Collection[str] = ()) -> Dialect:
    """Find the dialect from the first 400 rows.

    Args:
        data: UTF-8 text.
        suffix: the file's extension; ".tsv" prefers the tab where several separators fit alike.
        known: names that the columns are expected to have, as those of a model's table; none if nothing is known.
    """
    head = _head_text(data)
    declared = _DECLARED.match(head)
    skip = 1 if declared else 0
    body = head[declared.end() :] if declared else head
    comments = _comment_lines(body)
    skip += comments
    body = "\n".join(body.splitlines()[comments:]) if comments else body
    # a short file of a known table may hold one row, and is seen to its end
    quote, escape = _quotes(body, least=1 if known and len(data) <= HEAD_BYTES else MANY_QUOTED)
    fit = _best_fit(body, quote, escape, suffix)
    separator = declared.group(1) if declared else (fit.separator if fit.fields > 1 else ",")
    rows, starts = _cut(body, separator, quote, escape)
    titles = _title_lines(rows, fit) if not declared else 0
    has_header = not _looks_like_data(rows[titles:], known)
    return Dialect(
        separator=separator,
        quote=quote,
        escape=escape,
        skip_lines=skip + (starts[titles] if rows else 0),
        has_header=has_header,
        padded=separator != SPACES and _is_padded(body, separator, quote),
        notices=tuple(_describe(separator, bool(declared), comments, titles, has_header, quote)),
    )


def _head_text(data: bytes) -> str:
    head = data[:HEAD_BYTES]
    if len(data) > HEAD_BYTES:
        cut = max(head.rfind(b"\n"), head.rfind(b"\r"))
        head = head[:cut] if cut > 0 else head
    return head.decode("utf-8", "ignore")


def _comment_lines(body: str) -> int:
    """Lines that begin with # above the header; a header that itself begins with # has the fields of the next line."""
    lines = body.splitlines()
    count = 0
    while count < min(len(lines), 100) and lines[count].startswith("#"):
        count += 1
    if count == 0 or count == len(lines):
        return 0
    last, after = lines[count - 1], lines[count]
    fields = max(after.count(separator) for separator in SEPARATORS)
    return count - 1 if fields and max(last.count(separator) for separator in SEPARATORS) == fields else count


def _quotes(body: str, *, least: int) -> tuple[str, str]:
    """The quote and what escapes it: single ones if `least` cells are in them, or more where others only begin so."""
    single, opened = len(_SINGLE.findall(body)), len(_OPENED.findall(body))
    if '"' not in body and single >= (least if single == opened else MANY_QUOTED):
        return "'", ""
    escape = "\\" if '\\"' in body and '""' not in body.replace(',""', "") else ""
    return '"', escape


def _is_padded(body: str, separator: str, quote: str) -> bool:
    """Whether a blank stands between a separator and a quote, other than within quotes."""
    mark = re.escape(quote)
    quoted = re.compile(rf"(?:^|{re.escape(separator)}( *)){mark}[^{mark}]*(?:{mark}{mark}[^{mark}]*)*", re.MULTILINE)
    return any(match[1] for match in quoted.finditer(body))


def _cut(body: str, separator: str, quote: str, escape: str) -> tuple[list[list[str]], list[int]]:
    """Rows that are not blank, and the number of lines before each."""
    if separator == SPACES:
        lines = [(number, line) for number, line in enumerate(body.splitlines()) if line.strip()][:HEAD_ROWS]
        return [line.split() for _, line in lines], [number for number, _ in lines]
    csv.field_size_limit(1 << 30)
    reader = csv.reader(
        io.StringIO(body, newline=""),
        delimiter=separator,
        quotechar=quote,
        escapechar=escape or None,
        skipinitialspace=True,
    )
    rows: list[list[str]] = []
    starts: list[int] = []
    before = 0
    for row in reader:
        if row:
            rows.append(row)
            starts.append(before)
        before = reader.line_num
        if len(rows) >= HEAD_ROWS:
            break
    return rows, starts


def _best_fit(body: str, quote: str, escape: str, suffix: str) -> _Fit:
    order = ("\t", *(s for s in SEPARATORS if s != "\t")) if suffix in (".tsv", ".tab") else SEPARATORS
    fits = [_fit(_cut(body, separator, quote, escape)[0], separator) for separator in order]
    best = max(fits, key=lambda fit: fit.rank)
    # Blanks between words make columns only where nothing else does, and every line agrees.
    if best.fields < 2:
        spaced = _fit(_cut(body, SPACES, quote, escape)[0], SPACES)
        numeric = re.search(r"^[\s\d.,eE+-]+$", body.split("\n", 2)[1] if body.count("\n") > 1 else "")
        if spaced.fields > 1 and spaced.share == 1.0 and (numeric or re.search(r"\S {2,}\S", body)):
            return spaced
    return best


def _fit(rows: list[list[str]], separator: str) -> _Fit:
    if not rows:
        return _Fit(separator, 0.0, 0, 0, 0)
    counts = [len(row) for row in rows]
    usual = statistics.mode(counts[1:] or counts)
    if usual == 1 and counts[0] > 1:
        usual = counts[0] if max(counts[1:], default=0) > 1 else 1
    share = counts.count(usual) / len(counts)
    first = counts.index(usual)
    return _Fit(separator, share, usual, first, counts[0])


def _title_lines(rows: list[list[str]], fit: _Fit) -> int:
    """Lines of a single field above a table of at least three columns are its title."""
    if fit.fields < 3 or fit.separator == SPACES or not 0 < fit.first <= 10:
        return 0
    above = rows[: fit.first]
    return fit.first if all(len([cell for cell in row if cell.strip()]) <= 1 for row in above) else 0


def _looks_like_data(rows: list[list[str]], known: Collection[str]) -> bool:
    """Whether the first row is data: a fraction as a name, or names that are values of their own columns."""
    if len(rows) < 3:
        return False
    first, below = [cell.strip() for cell in rows[0]], rows[1:]
    if known and set(known) <= set(first):
        return False
    width = len(first)
    columns = [[row[index].strip() for row in below if len(row) == width] for index in range(width)]
    numeric = [bool(column) and all(_NUMBER.fullmatch(cell) for cell in column if cell) for column in columns]
    if not any(numeric):
        return False
    if any(is_number and not _NUMBER.fullmatch(cell) for is_number, cell in zip(numeric, first, strict=True)):
        return False  # a word above numbers is a name
    words = [(cell, column) for is_number, cell, column in zip(numeric, first, columns, strict=True) if not is_number]
    if any(_FRACTION.fullmatch(cell) for cell in first):  # wavelengths and ages are names, too
        levels = [(cell, column) for cell, column in words if cell and _recurs(column)]
        return not levels or any(cell in column for cell, column in levels)
    return bool(words) and all(cell in column for cell, column in words)


def _recurs(column: list[str]) -> bool:
    """Whether hardly a value stands alone in its column, so that one more cell would repeat another (Good, 1953)."""
    counts = Counter(cell for cell in column if cell)
    alone = sum(count == 1 for count in counts.values())
    return bool(counts) and alone <= ALONE_SHARE * counts.total()


def _describe(separator: str, declared: bool, comments: int, titles: int, has_header: bool, quote: str) -> list[Notice]:
    notices = []
    if separator != ",":
        reason = "declared in the first line" if declared else "it cuts the first rows most evenly"
        notices.append(
            Notice(topic="dialect", text=f"columns are separated by {_NAMES.get(separator, separator)}", reason=reason)
        )
    if quote != '"':
        notices.append(Notice(topic="dialect", text="single quotes surround texts", reason="they do in the first rows"))
    if comments:
        notices.append(Notice(topic="dialect", text=f"skipped {comments} comment line(s) above the header"))
    if titles:
        notices.append(
            Notice(
                topic="dialect", text=f"skipped {titles} title line(s) above the header", reason="they hold one field"
            )
        )
    if not has_header:
        notices.append(
            Notice(
                topic="header",
                text="the file has no header: columns are called column_1, column_2, …",
                reason="the first row looks like data",
            )
        )
    return notices
