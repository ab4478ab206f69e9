"""Ctrl-C and its kin: the first asks for a wrap-up, the second ends the command at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType


class Interrupts:
    """While the block runs, SIGINT, SIGTERM and SIGHUP set `received` instead of ending the process.

    A terminal that is closed sends SIGHUP twice, the shell and the kernel once each, and a session that is ended sends
    it after SIGTERM: it never counts as the second one.

    A signal that is ignored when the block begins stays so: `nohup` is meant to outlive its terminal, and what a script
    runs in the background its Ctrl-C. `automl stop` and SIGTERM reach both.

    Outside the main thread it does nothing, as handlers cannot be set there.

    Args:
        on_first: called with the signal's name when the first one comes.
    """

    def __init__(self, on_first: Callable[[str], None] | None = None) -> None:
        self.received = ""
        self._on_first = on_first
        self._old: dict[int, object] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._old[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._old.clear()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received:
            if number == signal.SIGHUP:
                return
            raise KeyboardInterrupt
        self.received = signal.Signals(number).name
        if self._on_first is not None:
            self._on_first(self.received)
