"""Ctrl-C: the first asks for a wrap-up, the second ends the command."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from automl.interrupts import Interrupts

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_noted_and_the_second_raises(number: signal.Signals) -> None:
    told: list[str] = []
    with Interrupts(told.append) as interrupts:
        assert interrupts.received == ""
        os.kill(os.getpid(), number)
        assert interrupts.received == number.name
        assert told == [number.name]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        assert told == [number.name]


def test_the_second_may_be_another_signal() -> None:
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        assert interrupts.received == "SIGTERM"


@pytest.mark.parametrize("first", SIGNALS)
def test_a_terminal_that_is_closed_hangs_up_more_than_once_and_the_wrap_up_goes_on(first: signal.Signals) -> None:
    with Interrupts() as interrupts:
        for number in (first, signal.SIGHUP, signal.SIGHUP):
            os.kill(os.getpid(), number)
        assert interrupts.received == first.name
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_handlers_are_as_before_when_the_block_ends_however_it_ends() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with Interrupts():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before
    with pytest.raises(ZeroDivisionError), Interrupts():
        raise ZeroDivisionError
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_another_thread_than_the_main_one_may_use_it_too() -> None:
    seen: list[str] = []

    def work() -> None:
        with Interrupts() as interrupts:
            seen.append(interrupts.received)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert seen == [""]


def test_a_signal_that_is_ignored_stays_ignored_as_under_nohup() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGHUP)
            assert interrupts.received == ""
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
