"""The run folder as an object: where everything lies, who works in it, and how far it came."""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import secrets
import shlex
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from automl.errors import DataError, EngineError, RunBusyError, UsageError
from automl.files import environment_error, read_json, remove, write_json, write_text

FORMAT_VERSION = 1
# What is written before the record, and what a kill leaves of writing it.
BEFORE_RECORD = re.compile(r"recipe\.yaml|\.(?:recipe\.yaml|run\.json)\.tmp-(\d+)")
Status = Literal["running", "complete", "interrupted", "stopped", "failed"]


class Run:
    """One run: `run.json` holds identity, versions and a ledger of stages; the rest are typed paths.

    Args:
        path: the folder. `Run.create` makes one; `Run.open` checks that it is one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.record_path = self.path / "run.json"
        self.recipe_path = self.path / "recipe.yaml"
        self.events_path = self.path / "events.jsonl"
        self.data = self.path / "data"
        self.profile_path = self.path / "profile.json"
        self.search = self.path / "search"
        self.ensemble_path = self.path / "ensemble.json"
        self.evaluation_path = self.path / "evaluation.json"
        self.details_path = self.path / "details.json"
        self.studies_path = self.path / "studies.json"
        self.leaderboard_path = self.path / "leaderboard.csv"
        self.model = self.path / "model"
        self.report_path = self.path / "report.html"
        self.report_json_path = self.path / "report.json"
        self.model_card_path = self.path / "model_card.md"
        self.export = self.path / "export"
        self.log = self.path / "log"
        self.stop_path = self.path / "stop"

    @classmethod
    def create(cls, path: Path | None, *, data_name: str, record: dict[str, Any], recipe: str | None = None) -> Run:
        """Make the folder and its first record.

        Args:
            path: where; None names one below `runs/` after the date and the data.
            recipe: the text that `recipe_path` is to hold; it is there before the record, which makes a folder a run.

        Raises:
            UsageError: if the folder already holds a run or anything else.
            EngineError: if it cannot be made; nothing is left of it.
        """
        if path is None:
            stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", data_name).strip("-.")[:40] or "data"
            path = Path("runs") / f"{datetime.date.today():%Y-%m-%d}-{stem}-{secrets.token_hex(2)}"
        run = cls(path)
        try:
            if run.record_path.exists():
                raise UsageError(
                    f"{path} already holds a run",
                    hint=f"Choose another folder with --out DIR, or go on with: automl resume {shlex.quote(str(path))}",
                )
            if not run._is_free():
                raise UsageError(
                    f"{path} is there already and is not empty", hint="Choose another folder with --out DIR"
                )
        except OSError as error:
            raise environment_error(error, path) from error
        with run._whole_or_not_there():
            for folder in (run.path, *run._folders()):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if recipe is not None:
                write_text(run.recipe_path, recipe)
            write_json(
                run.record_path,
                {"format_version": FORMAT_VERSION, "id": run.path.name, "status": "running", "stages": {}, **record},
            )
        return run

    def _folders(self) -> tuple[Path, ...]:
        return self.data, self.search, self.search / "oof", self.log

    def _is_free(self) -> bool:
        """Whether nothing is in the way: at most what a kill has left of `create`, which are empty folders and, once
        they are all there, what comes before the record. A recipe without them is the user's own."""
        if not self.path.exists():
            return True
        if not self.path.is_dir():
            return False
        made = [folder for folder in self._folders() if folder.is_dir() and not folder.is_symlink()]
        is_begun = len(made) == len(self._folders())
        return not any(self.path.iterdir()) or all(
            path in made or (is_begun and path.parent == self.path and _is_left(path.name))
            for path in self.path.rglob("*")
        )

    @contextlib.contextmanager
    def _whole_or_not_there(self) -> Iterator[None]:
        """What was half made is removed: it is no run to resume, and the same command has to find its place free."""
        try:
            try:
                yield
            except OSError as error:
                raise environment_error(error, self.path) from error
        except EngineError as error:
            self.discard()
            error.hint = error.hint.replace("automl resume RUN", "the same command again")
            raise

    def discard(self) -> None:
        """Remove all of it. A path that is a link to a folder stays one: the folder is empty then."""
        with contextlib.suppress(OSError):
            for path in list(self.path.glob("*")):
                remove(path)
            self.path.rmdir()

    @classmethod
    def open(cls, path: Path) -> Run:
        """An existing run; of one that was retrained, the run of the version that is in use.

        Raises:
            UsageError: if there is none.
            DataError: if its record cannot be read or was written by a newer version.
        """
        run = cls(find_version(path))
        try:
            if not run.record_path.is_file():
                raise UsageError(
                    f"{path} is not a run folder: it has no run.json", hint="automl fit DATA --target Y --out DIR"
                )
            version, _ = int(run.record["format_version"]), run.record["stages"]
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise DataError(
                f"{run.record_path} cannot be read: {error!r}", hint="Start again with automl fit"
            ) from error
        if version > FORMAT_VERSION:
            raise DataError(f"{path} was written by a newer automl (format {version})", hint="Upgrade automl")
        return run

    @property
    def record(self) -> dict[str, Any]:
        result: dict[str, Any] = read_json(self.record_path)
        return result

    def update(self, **changes: Any) -> None:
        """Lay `changes` over the record, atomically."""
        write_json(self.record_path, {**self.record, **changes})

    def mark_stage(self, stage: str, **facts: Any) -> None:
        """Write a stage into the ledger as done, with what it cost or found."""
        record = self.record
        write_json(self.record_path, {**record, "stages": {**record["stages"], stage: {"status": "done", **facts}}})

    def is_done(self, stage: str) -> bool:
        return bool(self.record["stages"].get(stage, {}).get("status") == "done")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process. The lock goes with the process, however it ends.

        Raises:
            RunBusyError: if another process holds it; its id is named.
        """
        import fcntl  # POSIX only; on other systems two writers in one folder are not told apart

        lock_path = self.path / "run.lock"
        try:
            file = lock_path.open("a+")
        except OSError as error:
            raise environment_error(error, lock_path) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                holder = file.read().strip() or "another process"
                raise RunBusyError(
                    f"{self.path} is in use by {holder}", hint=f"automl status {shlex.quote(str(self.path))}"
                ) from error
            except OSError as error:  # a file system without locks
                raise environment_error(error, lock_path) from error
            file.seek(0)
            file.truncate()
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
            file.flush()
            yield

    def clear_leftovers(self) -> None:
        """Remove what a kill left half written. Only for the process that holds the lock."""
        for path in sorted(self.path.rglob(".*.tmp-*")):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def is_locked(self) -> bool:
        """Whether a process is working in the folder now."""
        try:
            with self.locked():
                return False
        except RunBusyError:
            return True
        except EngineError:
            return False


def find_version(path: Path) -> Path:
    """The run folder of the version that `path`'s model belongs to: `path` itself until it is retrained.

    After a promotion `model` is a link to `versions/NNNN/model`, and that version has a run folder of its own.
    """
    model = path / "model"
    if not model.is_symlink():
        return path
    version = model.resolve().parent
    is_own = version.parent == (path / "versions").resolve() and (version / "run.json").is_file()
    return version if is_own else path


def _is_left(name: str) -> bool:
    """Whether a file comes before the record of a run, and nobody is at work on it."""
    found = BEFORE_RECORD.fullmatch(name)
    if found is None or found[1] is None:
        return found is not None
    import psutil

    return not psutil.pid_exists(int(found[1]))
