"""Slots are handed out once, and go with their workers."""

from __future__ import annotations

from automl.engines.cluster.roster import Errand, Member, Roster


def make_member(name: str, threads: int = 1) -> Member:
    return Member(f"tcp://{name}:1", f"/scratch/{name}", threads, 0.0, 0.0, 0.0)


def make_errand(name: str) -> Errand:
    return Errand(name, b"", 1.0, None, None)


def test_a_worker_has_a_slot_for_each_thread_and_new_ones_fill_the_gaps() -> None:
    roster = Roster()
    one, two, three = make_member("one", 2), make_member("two"), make_member("three", 2)
    roster.admit(one)
    roster.admit(two)
    assert (one.slots, two.slots) == ((0, 1), (2,))
    roster.dismiss(one)
    assert roster.free() == [2]
    roster.admit(three)
    assert three.slots == (0, 1)


def test_an_errand_takes_the_lowest_free_slot_and_keeps_it() -> None:
    roster = Roster()
    for name in ("one", "two"):
        roster.admit(make_member(name))
    first, second, third = (make_errand(name) for name in "abc")
    for errand in (first, second, third):
        roster.add(errand)
        roster.seat(errand)
    assert (first.slot, second.slot, third.slot) == (0, 1, None)
    assert roster.count_waiting() == 1
    assert roster.seat(first) is roster.members[0]
    roster.remove("b")
    assert roster.seat(third) is roster.members[1]


def test_an_errand_whose_worker_is_gone_takes_another_slot() -> None:
    roster = Roster()
    one, two = make_member("one"), make_member("two")
    roster.admit(one)
    errand = make_errand("a")
    roster.add(errand)
    assert roster.seat(errand) is one
    roster.dismiss(one)
    assert roster.seat(errand) is None
    roster.admit(two)
    assert roster.seat(errand) is two


def test_only_one_gets_to_tell_an_outcome() -> None:
    roster = Roster()
    roster.add(make_errand("a"))
    assert roster.remove("a") is not None
    assert roster.remove("a") is None


def test_the_time_without_workers_is_counted_from_the_loss_of_the_last() -> None:
    roster = Roster()
    assert roster.lost_at is not None
    one, two = make_member("one"), make_member("two")
    roster.admit(one)
    roster.admit(two)
    roster.dismiss(one)
    assert roster.lost_at is None
    roster.dismiss(two)
    assert roster.lost_at is not None
