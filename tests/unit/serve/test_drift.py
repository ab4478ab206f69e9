"""The drift gauges are near zero on rows like those of training and far from it on others."""

from __future__ import annotations

import numpy as np

from automl.schema import Column, Role
from automl.serve.drift import FEWEST_ROWS, DriftWindow, _from_profile, _from_sketch
from automl.serve.rows import Rows

AGE = Column(name="age", role=Role.NUMBER)
CITY = Column(name="city", role=Role.CATEGORY, levels=("Graz", "Linz", "Wien"))


def references() -> dict[str, object]:
    """Ages even from 0 to 100 in ten bins, a tenth missing; half of the cities Graz, a quarter each of the others."""
    age = _from_profile(AGE, {"missing": 0.1, "edges": list(range(0, 101, 10)), "counts": [90] * 10}, 1000)
    city = _from_sketch(CITY, {"rows": 400, "missing": 0, "kept": {"counts": [200, 100, 100, 0]}})
    return {"age": age, "city": city}


def window(ages: list[float | None], cities: list[str | None]) -> dict[str, float]:
    found = DriftWindow(references())  # type: ignore[arg-type]
    for start in range(0, len(ages), 50):
        part = slice(start, start + 50)
        found.add(Rows({"age": ages[part], "city": cities[part]}, len(ages[part])))  # type: ignore[dict-item]
    return found.measure()


def test_rows_like_those_of_training_do_not_drift() -> None:
    rng = np.random.default_rng(3)
    ages = [None if rng.random() < 0.1 else float(rng.uniform(0, 100)) for _ in range(1000)]
    cities = rng.choice(["Graz", "Linz", "Wien"], 1000, p=[0.5, 0.25, 0.25]).tolist()
    measured = window(ages, cities)
    assert 0 <= measured["age"] < 0.05
    assert 0 <= measured["city"] < 0.02


def test_a_shift_is_seen_and_its_size_is_worked_by_hand() -> None:
    """All cities Wien: (1 - .25) ln 4 + (.001 - .5) ln .002 + (.001 - .25) ln .004 is 5.516."""
    measured = window([5.0] * 400, ["Wien"] * 400)
    assert measured["age"] > 2
    assert abs(measured["city"] - (0.75 * np.log(4) - 0.499 * np.log(0.002) - 0.249 * np.log(0.004))) < 1e-6


def test_one_and_zero_for_true_and_false_are_no_drift() -> None:
    member = Column(name="member", role=Role.CATEGORY, levels=("True", "False"))
    reference = _from_sketch(member, {"rows": 400, "missing": 0, "kept": {"counts": [200, 200, 0]}})
    assert reference is not None
    for cells in ([1, 0], ["1.0", "0"], [True, False]):
        found = DriftWindow({"member": reference})
        for _ in range(8):
            found.add(Rows({"member": cells * 25}, 50))
        assert abs(found.measure()["member"]) < 0.001


def test_few_rows_say_nothing() -> None:
    assert window([5.0] * (FEWEST_ROWS - 1), ["Wien"] * (FEWEST_ROWS - 1)) == {}


def test_the_quantiles_that_a_model_carries_make_ten_bins() -> None:
    edges = [float(edge) for edge in range(1, 100)]
    found = _from_sketch(
        AGE,
        {
            "rows": 1100,
            "missing": 100,
            "kept": {"rows": 1000, "edges": edges, "below": [10 * n for n in range(1, 100)]},
        },
    )
    assert found is not None
    assert found.cuts.tolist() == [10, 20, 30, 40, 50, 60, 70, 80, 90]
    assert np.allclose(found.shares, [100 / 1100] * 11)
