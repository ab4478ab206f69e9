"""optuna-dashboard on a run's journal, for a longer look at a search."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable
from wsgiref.simple_server import make_server

from automl.errors import EngineError, MissingExtraError, SearchError
from automl.run import Run


def serve_dashboard(run: Run, *, host: str, port: int, on_ready: Callable[[], None]) -> None:
    """Serve the studies of a run, one a family, until interrupted. Reads the journal, even of a run at work.

    Args:
        on_ready: called once, when whoever connects is heard.

    Raises:
        MissingExtraError: if optuna-dashboard is not installed.
        SearchError: if the run has tuned nothing yet.
        EngineError: if the port is taken.
    """
    journal = run.search / "journal.log"
    if not journal.exists() or journal.stat().st_size == 0:
        raise SearchError(f"{run.path} has tuned nothing yet", hint=f"automl status {shlex.quote(str(run.path))}")
    try:
        from optuna_dashboard import wsgi
    except ImportError as error:
        hint = "pip install 'automl[dashboard]'"
        raise MissingExtraError("The dashboard needs optuna-dashboard, which is not installed", hint=hint) from error
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    try:
        server = make_server(host, port, wsgi(JournalStorage(JournalFileBackend(str(journal)))))
    except OSError as error:
        hint = f"automl dashboard {shlex.quote(str(run.path))} --port {port + 1}"
        raise EngineError(f"Cannot listen on {host}:{port}: {error}", hint=hint) from error
    with server, contextlib.suppress(KeyboardInterrupt):
        on_ready()
        server.serve_forever()
