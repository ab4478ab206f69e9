"""The log of a server's requests: JSON lines in files of bounded size and number, columns hashed or dropped on demand.

A folder holds `log.json` (what is hidden) and `requests-*.jsonl`. A line is one row: when, what the model said, how
long the request took, and the cells. A batch is one write, so that lines end up whole; what a kill tore is passed over.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import hmac
import json
import os
import secrets
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.errors import DataError, UsageError, did_you_mean
from automl.events import read_jsonl
from automl.files import environment_error, read_json, write_json
from automl.matrix import FloatArray

if TYPE_CHECKING:
    import pandas as pd

    from automl.predictor import Predictor

KIND = "automl-request-log"
FORMAT_VERSION = 1
HEADER, KEY = "log.json", ".log.key"
FILES = 8  # that the allowed bytes are spread over: the oldest goes when they are used up
MOST_ROWS = 200_000  # read back, the newest
MAX_TEXT = 20_000  # characters of a cell; a longer one is cut


class RequestLog:
    """Writes what a server was asked and what it answered; a server's observer.

    A disk that is full or a cell that cannot be written never hurts the request: it is counted, and said once.

    Args:
        folder: made if it is not there; several processes may write into one.
        columns: names that the model knows; others are not written.
        hashed: columns written as keyed hashes: equal cells stay equal, and cannot be read or guessed without the key,
            which lies in the folder for its owner alone.
        dropped: columns that are not written.
        megabytes: of all files together.

    Raises:
        UsageError: if a hidden column is unknown, or the folder is in use for something else.
        EngineError: if the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        columns: Sequence[str],
        hashed: Sequence[str] = (),
        dropped: Sequence[str] = (),
        megabytes: float = 256.0,
        writers: int = 1,
    ) -> None:
        told = _read_hidden(folder)  # a column that the first model had, and this one has no more, hides nothing
        for name in (*hashed, *dropped):
            if name not in columns and name not in told:
                raise UsageError(f"The model has no column {name!r} to hide", hint=did_you_mean(name, columns))
        self.folder = folder
        self.columns = tuple(name for name in columns if name not in set(dropped))
        self.hashed, self.dropped = frozenset(hashed) - set(dropped), tuple(dropped)
        self.file_bytes = max(4096, int(megabytes * 2**20) // max(FILES, 2 * writers))
        self.total_bytes = max(self.file_bytes, int(megabytes * 2**20))
        self.failures = 0
        self._lock = threading.Lock()
        self._path: Path | None = None
        self._count = 0
        try:
            self._prepare()
        except OSError as error:
            raise environment_error(error, folder) from error

    def _prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        header = self.folder / HEADER
        begun = f".{HEADER}.tmp-"  # of another process that is about to write into the same log
        others = [path for path in self.folder.iterdir() if not path.name.startswith(begun)]
        if others and not is_request_log(self.folder):
            raise UsageError(f"{self.folder} holds other files and is no request log", hint="Choose an empty folder")
        hidden = {"hashed": sorted(self.hashed), "dropped": sorted(set(self.dropped))}
        if header.exists():
            before = read_json(header)
            hidden = {key: sorted({*hidden[key], *before.get(key, ())}) for key in hidden}  # once hidden, hidden here
        write_json(header, {"kind": KIND, "format_version": FORMAT_VERSION, **hidden})
        self._key = _read_key(self.folder / KEY) if self.hashed else b""

    def __call__(self, rows: Any, predictions: FloatArray, seconds: float) -> None:
        """Note a request.

        Args:
            rows: a frame, column → cells, or an object whose `columns` are that.
            predictions: outputs (n, k) of the model.
            seconds: that the request took.
        """
        try:
            block = "".join(self._lines(_columns_of(rows), np.asarray(predictions), seconds)).encode("utf-8")
            if block:
                self._write(block)
        except Exception as error:  # a log is never worth an answer
            self.failures += 1
            if self.failures == 1:
                with contextlib.suppress(OSError):
                    sys.stderr.write(f"warning: the request log {self.folder} cannot be written: {error}\n")

    def _lines(self, columns: Mapping[str, Any], outputs: FloatArray, seconds: float) -> Iterator[str]:
        names = [name for name in self.columns if name in columns]
        cells = {name: list(columns[name]) for name in names}
        now = round(time.time(), 3)
        for row, said in enumerate(outputs.reshape(len(outputs), -1)):
            record = {
                "at": now,
                "seconds": round(float(seconds), 6),
                "outputs": [float(value) if np.isfinite(value) else None for value in said],
                "row": {name: self._cell(name, cells[name][row]) for name in names},
            }
            yield (
                json.dumps(record, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace").decode()
                + "\n"
            )

    def _cell(self, name: str, cell: Any) -> Any:
        plain = _plain(cell)
        if plain is None or name not in self.hashed:
            return plain
        return hmac.new(self._key, str(plain).encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:16]

    def _write(self, block: bytes) -> None:
        with self._lock:
            if self._path is None or self._size(self._path) + len(block) > self.file_bytes:
                self._count += 1
                name = f"requests-{time.time_ns() // 1_000_000:014d}-{os.getpid()}-{self._count}.jsonl"
                self._path = self.folder / name
                self._drop_oldest(len(block))
            with self._path.open("ab", buffering=0) as file:
                file.write(block)

    @staticmethod
    def _size(path: Path) -> int:
        try:
            return path.stat().st_size
        except FileNotFoundError:  # another process made room
            return 0

    def _drop_oldest(self, wanted: int) -> None:
        files = list_files(self.folder)
        sizes = [self._size(path) for path in files]
        while files and sum(sizes) + max(wanted, self.file_bytes) > self.total_bytes:
            files.pop(0).unlink(missing_ok=True)
            sizes.pop(0)


def _read_hidden(folder: Path) -> set[str]:
    """The columns that a log hides since it was begun."""
    if not (folder / HEADER).is_file() or not is_request_log(folder):
        return set()
    header = read_json(folder / HEADER)
    return {*header.get("hashed", ()), *header.get("dropped", ())}


def _read_key(path: Path) -> bytes:
    """The key of the hashes, made by whoever comes first."""
    with contextlib.suppress(FileExistsError):
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(32))
    return path.read_bytes()


def _columns_of(rows: Any) -> Mapping[str, Any]:
    if isinstance(rows, Mapping):
        return rows
    columns = getattr(rows, "columns", None)
    if isinstance(columns, Mapping):
        return columns
    return {str(name): rows[name].tolist() for name in rows.columns}  # a frame


def _plain(cell: Any) -> Any:
    """A cell as JSON: text, number, truth value, ISO date; None for missing."""
    if cell is None or isinstance(cell, bool):
        return cell
    if isinstance(cell, str):
        return cell[:MAX_TEXT]
    if isinstance(cell, int | np.integer):
        return int(cell)
    if isinstance(cell, float | np.floating):
        return float(cell) if np.isfinite(cell) else None
    text = cell.isoformat() if hasattr(cell, "isoformat") else str(cell)
    return None if text in ("NaT", "nan", "<NA>") else text[:MAX_TEXT]


# ---- read back -------------------------------------------------------------------------------------------------------


def is_request_log(path: Path) -> bool:
    """Whether a folder is a request log."""
    header = path / HEADER
    try:
        return path.is_dir() and header.is_file() and read_json(header).get("kind") == KIND
    except (OSError, ValueError, AttributeError):
        return False


def list_files(folder: Path) -> list[Path]:
    """The files of a log, the oldest first."""
    return sorted(folder.glob("requests-*.jsonl"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoggedRows:
    """What a log holds.

    Attributes:
        frame: raw cells (n, d), the newest rows last.
        raw_outputs: what the model said of each row.
        hidden: columns that are hashed or left out.
    """

    frame: pd.DataFrame
    raw_outputs: list[Any]
    hidden: tuple[str, ...]
    files: tuple[Path, ...]
    notices: list[str]

    def outputs(self, predictor: Predictor) -> FloatArray | None:
        """Logged outputs (n, k), if they are of this model's shape; None if not."""
        wanted = predictor.task.n_outputs
        if any(not isinstance(said, list) or len(said) != wanted for said in self.raw_outputs):
            return None
        outputs = np.array(
            [[np.nan if value is None else value for value in said] for said in self.raw_outputs], dtype=np.float32
        )
        return outputs if np.isfinite(outputs).all() else None


def read_request_log(folder: Path) -> LoggedRows:
    """The newest rows of a log, at most 200,000.

    Raises:
        DataError: if it holds none.
    """
    import pandas as pd

    header = read_json(folder / HEADER)
    hidden = (*header.get("hashed", ()), *header.get("dropped", ()))
    records: list[dict[str, Any]] = []
    files = list_files(folder)
    for path in reversed(files):
        own = [record for record in read_jsonl(path) if isinstance(record.get("row"), dict)]
        records = own + records
        if len(records) >= MOST_ROWS:
            break
    notices = []
    if len(records) > MOST_ROWS:
        records = records[-MOST_ROWS:]
        notices.append(f"the newest {MOST_ROWS:,} rows of the log are looked at")
    if not records:
        raise DataError(f"The log {folder} holds no rows yet", hint="Wait for requests, or give a table")
    if hidden:
        listed = ", ".join(repr(name) for name in hidden[:8])
        notices.append(f"hidden in the log, and not compared: {listed}")
    names = dict.fromkeys(name for record in records for name in record["row"])
    columns = {name: [record["row"].get(name) for record in records] for name in names if name not in hidden}
    return LoggedRows(
        frame=pd.DataFrame(columns, index=range(len(records)), dtype=object),
        raw_outputs=[record.get("outputs") for record in records],
        hidden=tuple(hidden),
        files=tuple(files),
        notices=notices,
    )
