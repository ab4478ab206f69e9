"""Matrices: what the parts make of numbers, dates and categories, and that a plan on disk is the plan in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.errors import ArtifactError
from automl.graph import Graph
from automl.matrix import Needs
from automl.preprocess import plan
from automl.preprocess._graph_numbers import scale_in_graph
from automl.preprocess.category import apply_lookup, as_values, rescale
from automl.preprocess.date import split_dates
from automl.preprocess.number import LIMIT, NumberPart, to_normal, yeo_johnson
from automl.preprocess.part import FitRows
from automl.preprocess.plan import Transformer, plan_space
from automl.preprocess.table import MISSING, UNSEEN, Layout, Table
from automl.task import Task, TaskKind
from tests.conformance.candidates import open_session

BINARY = Task(kind=TaskKind.BINARY, target="y", classes=("no", "yes"))
LAYOUT = Layout(numbers=("a", "b"), categories=("c", "d"), levels=(3, 40), dates=("when",))
NEEDS = (
    Needs(missing=True, categories="native"),
    Needs(missing=True),
    Needs(),
    Needs(scaled=True),
    Needs(scaled=True, categories="embed"),
)


def make_table(rows: int, seed: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(rows, 2)).astype(np.float32)
    numbers[rng.random((rows, 2)) < 0.1] = np.nan
    categories = np.column_stack([rng.integers(-1, 3, rows), rng.integers(-1, 40, rows)]).astype(np.int32)
    dates = rng.integers(0, 2_000_000_000, (rows, 1)).astype(np.float64)
    dates[rng.random((rows, 1)) < 0.1] = np.nan
    return Table(layout=LAYOUT, numbers=numbers, categories=categories, dates=dates)


def rows_of(target: np.ndarray, task: Task = BINARY) -> FitRows:
    return FitRows(task=task, target=target, seed=1)


@pytest.mark.parametrize("needs", NEEDS)
def test_every_edge_of_every_choice_gives_a_finite_matrix_of_the_size_it_names(needs: Needs) -> None:
    table, target = make_table(120), np.arange(120) % 2
    space = plan_space(needs, LAYOUT)
    for name, parameter in space.parameters.items():
        for value in parameter.edges():
            given_ = {name: value, **({"reduce": "pca"} if name == "keep" else {})}
            transformer = Transformer(needs, space.complete(given_), LAYOUT)

            trained = transformer.fit(table, rows_of(target))
            scored = transformer.transform(make_table(7, seed=5))

            assert trained.dtype == scored.dtype == np.float32
            assert trained.shape == (120, len(transformer.features()))
            assert scored.shape == (7, len(transformer.features()))
            if not needs.missing:
                assert np.isfinite(trained).all()
                assert np.isfinite(scored).all()


@pytest.mark.parametrize("needs", NEEDS)
def test_a_plan_read_from_disk_makes_the_same_matrix(needs: Needs, tmp_path: Path) -> None:
    transformer = Transformer(needs, plan_space(needs, LAYOUT).defaults(), LAYOUT)
    transformer.fit(make_table(90), rows_of(np.arange(90) % 2))
    new = make_table(11, seed=3)
    new.categories[0] = UNSEEN
    new.categories[1] = MISSING

    transformer.save(tmp_path / "plan.npz")
    loaded = Transformer.load(tmp_path / "plan.npz", LAYOUT)

    np.testing.assert_array_equal(loaded.transform(new), transformer.transform(new))
    assert loaded.features() == transformer.features()


def test_a_plan_of_before_with_an_entry_for_each_column_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transformer = Transformer(NEEDS[0], plan_space(NEEDS[0], LAYOUT).defaults(), LAYOUT)
    transformer.fit(make_table(90), rows_of(np.arange(90) % 2))
    monkeypatch.setattr(plan, "_pack", lambda key, items: {f"{key}/{at}": item for at, item in enumerate(items)})
    transformer.save(tmp_path / "before.npz")
    monkeypatch.undo()
    transformer.save(tmp_path / "now.npz")
    matrices = [
        Transformer.load(tmp_path / name, LAYOUT).transform(make_table(9, seed=3)) for name in ("before.npz", "now.npz")
    ]
    np.testing.assert_array_equal(*matrices)
    with np.load(tmp_path / "now.npz") as now, np.load(tmp_path / "before.npz") as before:
        assert len(now.files) < len(before.files) + 2


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("scale", ["standard", "robust", "quantile", "power"])
def test_dates_that_are_all_the_same_give_no_column(scale: str, clip: bool, tmp_path: Path) -> None:
    layout = Layout(numbers=(), categories=(), levels=(), dates=("when",))
    dates = np.array([[1.7e9]] * 39 + [[np.nan]])
    empty = np.empty((40, 0))
    table = Table(layout=layout, numbers=empty.astype(np.float32), categories=empty.astype(np.int32), dates=dates)
    needs = Needs(scaled=True)
    transformer = Transformer(needs, plan_space(needs, layout).complete({"scale": scale, "clip": clip}), layout)

    assert transformer.fit(table, rows_of(np.arange(40) % 2)).shape == (40, 0)

    transformer.save(tmp_path / "plan.npz")
    assert Transformer.load(tmp_path / "plan.npz", layout).transform(table).shape == (40, 0)
    assert transformer.features() == ()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["int32", "float32", "uint8"]), st.integers(0, 5), st.integers(0, 3))))
def test_a_list_of_arrays_is_what_it_was_after_it_was_packed(shapes: list[tuple[str, int, int]]) -> None:
    rng = np.random.default_rng(0)
    items = [(9 * rng.random(size=(rows, width) if width else rows)).astype(dtype) for dtype, rows, width in shapes]
    packed = {key.removeprefix("a/b/"): array for key, array in plan._pack("a/b", items).items()}
    found = plan._unpack(packed)
    assert len(found) == len(items)
    for one, other in zip(items, found, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_a_damaged_plan_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.npz"
    path.write_bytes(b"\x80\x04 not an archive")

    with pytest.raises(ArtifactError, match="not a preprocessing plan"):
        Transformer.load(path, LAYOUT)


def test_rows_that_are_scored_do_not_change_what_is_learned() -> None:
    table, target = make_table(200), np.arange(200) % 2
    needs = Needs(scaled=True)
    learned = []
    for poison in (0.0, 1e6):
        poisoned = make_table(200)
        poisoned.numbers[150:] += poison
        transformer = Transformer(needs, plan_space(needs, LAYOUT).defaults(), LAYOUT)
        transformer.fit(poisoned.take(np.arange(150)), rows_of(target[:150]))
        learned.append(transformer.transform(table))

    np.testing.assert_array_equal(learned[0], learned[1])


def test_a_level_without_training_rows_counts_as_unseen() -> None:
    table = make_table(100)
    table.categories[:, 0] = np.arange(100) % 2  # level 2 never occurs
    for encode in ("one_hot", "ordinal", "target"):
        needs = Needs()
        transformer = Transformer(needs, plan_space(needs, LAYOUT).complete({"encode": encode}), LAYOUT)
        transformer.fit(table, rows_of(np.arange(100) % 2))
        level_2, unseen = table.take(np.array([0])), table.take(np.array([0]))
        level_2.categories[:, 0], unseen.categories[:, 0] = 2, UNSEEN

        np.testing.assert_array_equal(transformer.transform(level_2), transformer.transform(unseen))


@pytest.mark.parametrize("encode", ["target", "ordinal"])
def test_codes_with_a_scale_of_their_own_are_brought_to_that_of_the_numbers(encode: str) -> None:
    """Means of prices beside standardised numbers are all that a distance sees: a kernel machine was a constant."""
    table, task = make_table(400), Task(kind=TaskKind.REGRESSION, target="y")
    price = 200_000 + 1_000.0 * table.categories[:, 1] + np.random.default_rng(1).normal(0, 500, 400)
    for needs, is_scaled in ((Needs(scaled=True), True), (Needs(), False)):
        transformer = Transformer(needs, plan_space(needs, LAYOUT).complete({"encode": encode}), LAYOUT)
        trained = transformer.fit(table, rows_of(price, task))[:, -2:]  # the categories stand at the end
        fresh = transformer.transform(make_table(2_000, seed=7))[:, -2:]
        if is_scaled:
            assert (np.abs(trained.mean(axis=0)) < 0.01).all()
            assert (trained.std(axis=0) < 1.01).all()
            assert trained[:, 1].std() > 0.9  # what tells the price keeps its size
            assert np.abs(fresh).max() < 20
        else:
            assert np.abs(trained).max() > 30


def test_means_that_tell_little_of_the_target_stay_small() -> None:
    table, task = make_table(400), Task(kind=TaskKind.REGRESSION, target="y")
    noise = np.random.default_rng(1).normal(1e6, 1e5, 400)
    transformer = Transformer(Needs(scaled=True), plan_space(NEEDS[3], LAYOUT).complete({"encode": "target"}), LAYOUT)
    assert transformer.fit(table, rows_of(noise, task))[:, -2:].std(axis=0).max() < 0.35


def test_class_means_are_in_units_of_each_class() -> None:
    task = Task(kind=TaskKind.MULTICLASS, target="y", classes=("a", "b", "c"))
    target = np.repeat([0, 1, 2], [10, 40, 50])
    like = as_values(rows_of(target, task))
    np.testing.assert_allclose(like.std(axis=0), np.sqrt([0.09, 0.24, 0.25]), rtol=1e-6)
    assert as_values(rows_of(target % 2)).tolist() == [[float(label % 2)] for label in target]


def test_a_code_that_is_one_value_stays_finite() -> None:
    lookup, block = np.full((4, 2), 3.3, dtype=np.float32), np.full((50, 2), 3.3, dtype=np.float32)
    for part in rescale(lookup, block, block):
        np.testing.assert_allclose(part, 0.0, atol=1e-5)


def test_indicators_of_two_levels_are_one_column_and_missing_has_its_own() -> None:
    layout = Layout(numbers=(), categories=("two", "holes"), levels=(2, 2), dates=())
    codes = np.array([[0, 0], [1, 1], [0, MISSING], [1, 0]] * 10, dtype=np.int32)
    table = Table(layout=layout, numbers=np.empty((40, 0), np.float32), categories=codes, dates=np.empty((40, 0)))
    needs = Needs()
    transformer = Transformer(needs, plan_space(needs, layout).complete({"encode": "one_hot"}), layout)

    matrix = transformer.fit(table, rows_of(np.arange(40) % 2))

    assert matrix[:3].tolist() == [[0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]]


def test_a_look_up_finds_unseen_and_missing_by_their_codes() -> None:
    lookup = np.array([[10.0], [20.0], [-1.0], [-2.0]], dtype=np.float32)

    found = apply_lookup(lookup, np.array([0, 1, UNSEEN, MISSING]))

    assert found[:, 0].tolist() == [10, 20, -1, -2]


def test_date_parts_of_a_known_moment() -> None:
    moment = np.array([[np.datetime64("2024-02-29T13:45:00").astype("datetime64[s]").astype(np.int64)]], dtype=float)

    parts = split_dates(moment)[0].tolist()

    assert parts == [19782, 2024, 2, 29, 3, 13, 45]  # a Thursday; Monday is 0
    assert np.isnan(split_dates(np.array([[np.nan]]))).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=5, max_size=40, unique=True), st.floats(-2, 2))
def test_power_and_quantile_transforms_keep_the_order(values: list[float], power: float) -> None:
    column = np.sort(np.array(values, dtype=np.float32))[:, None]

    powered = yeo_johnson(column, np.array([power]))[:, 0]
    normal = to_normal(column, np.quantile(column, np.linspace(0, 1, 5), axis=0).astype(np.float32))[:, 0]

    assert (np.diff(powered) >= 0).all()
    assert (np.diff(normal) >= 0).all()


@pytest.mark.parametrize(("origin", "spread"), [(100, 5), (1000, 10), (101_325, 300), (-40_000, 70)])
def test_a_power_far_from_zero_keeps_its_values_apart(origin: float, spread: float) -> None:
    """Pressures and years: before, one value of two thousand was left, and the model saw a constant."""
    column = (origin + np.random.default_rng(1).exponential(spread, 2000)).astype(np.float32)[:, None]
    layout = Layout(numbers=("a",), categories=(), levels=(), dates=())
    table = Table(layout=layout, numbers=column, categories=np.zeros((2000, 0), np.int32), dates=np.zeros((2000, 0)))
    part = NumberPart(Needs(scaled=True), {"scale": "power"})
    scaled = part.fit(table, rows_of(np.arange(2000) % 2))[:, 0]
    np.testing.assert_array_equal(part.transform(table)[:, 0], scaled)
    graph = Graph()
    graph.output("y", scale_in_graph(graph, graph.input("x", "float32", [1]), part.state, LIMIT), "float32", 1)
    np.testing.assert_allclose(open_session(graph).run(None, {"x": column})[0][:, 0], scaled, atol=1e-5)
    assert len(np.unique(scaled)) > 0.98 * len(np.unique(column))
    assert (np.diff(scaled[np.argsort(column[:, 0])]) >= 0).all()
    skewness = float(np.mean(((scaled - scaled.mean()) / scaled.std()) ** 3))
    assert abs(skewness) < 0.5  # of an exponential it is 2


def test_yeo_johnson_equals_scikit_learn() -> None:
    from sklearn.preprocessing import PowerTransformer

    column = np.random.default_rng(0).exponential(size=(200, 1))
    theirs = PowerTransformer(standardize=False).fit(column)

    ours = yeo_johnson(column.astype(np.float32), theirs.lambdas_)

    np.testing.assert_allclose(ours, theirs.transform(column), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scale", ["standard", "robust", "quantile", "power"])
def test_a_column_that_said_nothing_in_training_says_nothing_later(scale: str) -> None:
    """A sensor that was new in the last month, and one that stood still: no weight was learned for what they say."""
    rng = np.random.default_rng(1)
    layout = Layout(numbers=("absent", "still", "alive", "holes"), categories=(), levels=(), dates=())

    def make(numbers: np.ndarray) -> Table:
        rows, no = len(numbers), np.zeros((len(numbers), 0))
        return Table(layout=layout, numbers=numbers, categories=np.zeros((rows, 0), np.int32), dates=no)

    seen = np.column_stack([np.full(200, np.nan), np.full(200, 7.0), rng.normal(size=200), np.full(200, 3.0)])
    seen[::9, 3] = np.nan
    part = NumberPart(Needs(scaled=True), {"scale": scale})
    part.fit(make(seen.astype(np.float32)), rows_of(np.arange(200) % 2))

    new = np.array([[1013.2, 1013.2, 0.5, 1013.2], [np.nan, 7.0, 0.1, np.nan]], dtype=np.float32)
    matrix = part.transform(make(new))

    assert not matrix[:, [0, 1, 3]].any() and matrix[0, 2] != 0
    assert [feature.name for feature in part.features(make(new))][-1] == "holes is missing"
    assert matrix[:, -1].tolist() == [0, 1]
    graph = Graph()
    graph.output("y", scale_in_graph(graph, graph.input("x", "float32", [4]), part.state, LIMIT), "float32", 4)
    found = open_session(graph).run(None, {"x": new})[0]
    np.testing.assert_allclose(np.nan_to_num(found), matrix[:, :4], atol=1e-5)


def test_a_column_in_tiny_units_is_brought_to_the_scale_of_the_others() -> None:
    column = (np.random.default_rng(1).normal(5e-15, 1e-15, 300)).astype(np.float32)[:, None]
    layout = Layout(numbers=("a",), categories=(), levels=(), dates=())
    table = Table(layout=layout, numbers=column, categories=np.zeros((300, 0), np.int32), dates=np.zeros((300, 0)))
    for scale in ("standard", "robust"):
        scaled = NumberPart(Needs(scaled=True), {"scale": scale}).fit(table, rows_of(np.arange(300) % 2))
        assert 0.8 < scaled[:, 0].std() < 1.2


@pytest.mark.parametrize(("classes", "expected"), [(3, 8), (60, 6)])
def test_of_many_classes_the_columns_with_the_fewest_levels_have_target_means(classes: int, expected: int) -> None:
    """Eight columns would be 480 of them, beside which nothing else of a matrix counts."""
    levels = (40, 13, 39, 14, 15, 16, 17, 18)
    layout = Layout(numbers=(), categories=tuple("abcdefgh"), levels=levels, dates=())
    rng = np.random.default_rng(0)
    codes = np.column_stack([rng.integers(0, size, 240) for size in levels]).astype(np.int32)
    table = Table(layout=layout, numbers=np.empty((240, 0), np.float32), categories=codes, dates=np.empty((240, 0)))
    task = Task(kind=TaskKind.MULTICLASS, target="y", classes=tuple(f"{label:02}" for label in range(classes)))
    transformer = Transformer(Needs(), plan_space(Needs(), layout).defaults(), layout)

    matrix = transformer.fit(table, rows_of(np.arange(240) % classes, task))

    assert matrix.shape == (240, len(transformer.features())) == (240, expected * classes + 8 - expected)
    encodings = transformer.parts[0].state["encodings"]
    assert [levels[place] for place in range(8) if encodings[place] == "ordinal"] == ([40, 39] if classes == 60 else [])
