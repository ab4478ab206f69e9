"""The dialect of a text table: separator, quotes, title lines, header or none, judged on its first rows."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
import statistics

from automl.schema import Notice

SEPARATORS = (",", ";", "\t", "|")
SPACES = "  "  # stands for runs of blanks
HEAD_BYTES = 256 * 1024
HEAD_ROWS = 400
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", SPACES: "blanks"}
_DECLARED = re.compile(r'^"?sep=([,;|:^~\t ])"?\r?\n', re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_FRACTION = re.compile(r"[+-]?\d*[.,]\d+(?:[eE][+-]?\d+)?", re.ASCII)


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


def sniff(data: bytes, suffix: str = "") -> Dialect:
    """Find the dialect from the first 400 rows.

    Args:
        data: UTF-8 text.
        suffix: the file's extension; ".tsv" prefers the tab where several separators fit alike.
    """
    head = _head_text(data)
    declared = _DECLARED.match(head)
    skip = 1 if declared else 0
    body = head[declared.end() :] if declared else head
    comments = _comment_lines(body)
    skip += comments
    body = "\n".join(body.splitlines()[comments:]) if comments else body
    quote, escape = _quotes(body)
    fit = _best_fit(body, quote, escape, suffix)
    separator = declared.group(1) if declared else (fit.separator if fit.fields > 1 else ",")
    rows = _cut(body, separator, quote, escape)
    titles = _title_lines(rows, fit) if not declared else 0
    has_header = not _looks_like_data(rows[titles:])
    padded = separator != SPACES and bool(re.search(re.escape(separator) + " +" + re.escape(quote), body))
    return Dialect(
        separator=separator,
        quote=quote,
        escape=escape,
        skip_lines=skip + titles,
        has_header=has_header,
        padded=padded,
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


def _quotes(body: str) -> tuple[str, str]:
    double, single = body.count('"'), len(re.findall(r"(?:^|[,;\t|])'[^'\n]*'(?=[,;\t|\r\n]|$)", body, re.MULTILINE))
    if double == 0 and single >= 4:
        return "'", ""
    escape = "\\" if '\\"' in body and '""' not in body.replace(',""', "") else ""
    return '"', escape


def _cut(body: str, separator: str, quote: str, escape: str) -> list[list[str]]:
    if separator == SPACES:
        return [line.split() for line in body.splitlines() if line.strip()][:HEAD_ROWS]
    csv.field_size_limit(1 << 30)
    reader = csv.reader(
        io.StringIO(body, newline=""),
        delimiter=separator,
        quotechar=quote,
        escapechar=escape or None,
        skipinitialspace=True,
    )
    rows: list[list[str]] = []
    for row in reader:
        if row:
            rows.append(row)
        if len(rows) >= HEAD_ROWS:
            break
    return rows


def _best_fit(body: str, quote: str, escape: str, suffix: str) -> _Fit:
    order = ("\t", *(s for s in SEPARATORS if s != "\t")) if suffix in (".tsv", ".tab") else SEPARATORS
    fits = [_fit(_cut(body, separator, quote, escape), separator) for separator in order]
    best = max(fits, key=lambda fit: fit.rank)
    # Blanks between words make columns only where nothing else does, and every line agrees.
    if best.fields < 2:
        spaced = _fit(_cut(body, SPACES, quote, escape), SPACES)
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


def _looks_like_data(rows: list[list[str]]) -> bool:
    """Whether the first row is data: a fraction as a name, or names that are values of their own columns."""
    if len(rows) < 3:
        return False
    first, below = [cell.strip() for cell in rows[0]], rows[1:]
    width = len(first)
    columns = [[row[index].strip() for row in below if len(row) == width] for index in range(width)]
    numeric = [bool(column) and all(_NUMBER.fullmatch(cell) for cell in column if cell) for column in columns]
    if not any(numeric):
        return False
    if any(is_number and not _NUMBER.fullmatch(cell) for is_number, cell in zip(numeric, first, strict=True)):
        return False  # a word above numbers is a name
    if any(_FRACTION.fullmatch(cell) for cell in first):
        return True
    words = [(cell, column) for is_number, cell, column in zip(numeric, first, columns, strict=True) if not is_number]
    return bool(words) and all(cell in column for cell, column in words)


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
