"""The suite that every model family must pass: subclass `CandidateConformance` and name the plug-in."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import pickle
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from automl.candidates import Candidate, Estimator, FitContext
from automl.errors import ArtifactError
from automl.graph import Graph, NoGraphError, SparseNames
from automl.matrix import Feature, Needs, Shape
from automl.registry import Registry
from automl.space import Params
from automl.task import Task, TaskKind

CANDIDATES: Registry[Candidate] = Registry("automl.candidates", noun="model")
CLASSES = {TaskKind.BINARY: ("no", "yes"), TaskKind.MULTICLASS: ("a", "b", "c", "d"), TaskKind.REGRESSION: ()}


FITTED: dict[str, dict[TaskKind, Estimator]] = {}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Problem:
    """A matrix as the family asks for it, and a target that follows from it."""

    task: Task
    features: tuple[Feature, ...]
    matrix: np.ndarray
    target: np.ndarray

    @property
    def shape(self) -> Shape:
        if self.features[0].shape:
            pixels = int(np.prod(self.features[0].shape))
            rows, outputs = len(self.matrix), self.task.n_outputs
            return Shape(rows=rows, numbers=0, categories=0, levels=0, outputs=outputs, pictures=1, pixels=pixels)
        categories = sum(feature.cardinality > 0 for feature in self.features)
        levels = sum(feature.cardinality for feature in self.features)
        numbers = len(self.features) - categories
        rows, outputs = self.matrix.shape[0], self.task.n_outputs
        texts = int(any(feature.token or feature.width > 1 for feature in self.features))
        return Shape(rows=rows, numbers=numbers, categories=categories, levels=levels, outputs=outputs, texts=texts)

    def without_class(self, absent: int) -> np.ndarray:
        """The target with every row of a class given to the next one."""
        return np.where(self.target == absent, (absent + 1) % self.task.n_classes, self.target)


def make_problem(kind: TaskKind, needs: Needs, rows: int = 60, seed: int = 0) -> Problem:
    """Four numbers and two categories, of 3 and 14 levels; the first number and category tell the target."""
    rng = np.random.default_rng(seed)
    if needs.text in ("sparse", "tokens"):
        return _make_text_problem(kind, needs, rows, rng)
    numbers = rng.normal(size=(rows, 4))
    few, many = rng.integers(0, 3, rows), rng.integers(0, 14, rows)
    signal = 2.0 * numbers[:, 0] + 1.5 * (few == 1) + 0.3 * rng.normal(size=rows)
    if needs.missing:
        numbers[::7, 1] = np.nan
    if needs.pictures == "pixels":
        matrix, features = _make_pictures(signal, rng)
    else:
        columns, features = _make_columns(numbers, few, many, needs, rng)
        matrix = np.ascontiguousarray(np.column_stack(columns), dtype=np.float32)
    matrix.flags.writeable = False
    return _make_task(kind, tuple(features), matrix, signal)


def _make_task(kind: TaskKind, features: tuple[Feature, ...], matrix: Any, signal: np.ndarray) -> Problem:
    classes = CLASSES[kind]
    task = Task(kind=kind, target="y", classes=classes, metric="log_loss" if classes else "rmse", skewed=not classes)
    if classes:
        cuts = np.quantile(signal, np.linspace(0, 1, len(classes) + 1)[1:-1])
        target = np.searchsorted(cuts, signal).astype(np.int64)
    else:
        target = 1000.0 + 50.0 * signal
    return Problem(task=task, features=features, matrix=matrix, target=target)


def _make_text_problem(kind: TaskKind, needs: Needs, rows: int, rng: np.random.Generator) -> Problem:
    """Two numbers and texts of four to nine words out of 20: four of the words raise the target, four lower it."""
    numbers = rng.normal(size=(rows, 2))
    words = rng.integers(3, 23, size=(rows, 9)) * (np.arange(9) < rng.integers(4, 10, rows)[:, None])
    signal = np.isin(words, range(3, 7)).sum(axis=1) - np.isin(words, range(7, 11)).sum(axis=1)
    signal = signal + 0.01 * rng.normal(size=rows)
    features = [Feature(name=f"x{at}", source=f"x{at}") for at in range(2)]
    if needs.text == "tokens":
        features += [Feature(name=f"token {at}", source="text", cardinality=23, token=True) for at in range(9)]
        return _make_task(kind, tuple(features), shape_matrix(np.column_stack([numbers, words]), needs), signal)
    counts = np.stack([(words == word).sum(axis=1) for word in range(3, 23)], axis=1)
    counts = counts / np.linalg.norm(counts, axis=1, keepdims=True)
    features.append(Feature(name="text [n-grams]", source="text", width=20))
    return _make_task(kind, tuple(features), shape_matrix(np.column_stack([numbers, counts]), needs), signal)


def shape_matrix(dense: np.ndarray, needs: Needs) -> Any:
    """A matrix as the family takes it: read-only float32, CSR, or the bytes of pictures."""
    dense = np.ascontiguousarray(dense, dtype=np.uint8 if needs.pictures == "pixels" else np.float32)
    if needs.text == "sparse":
        from scipy.sparse import csr_matrix

        return csr_matrix(dense)
    dense.flags.writeable = False
    return dense


def to_dense(matrix: Any) -> np.ndarray:
    """A copy that can be changed."""
    return np.array(matrix.toarray() if hasattr(matrix, "toarray") else matrix)


def _make_pictures(signal: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, list[Feature]]:
    """Grey 10×8 pictures of noise with a bar, the longer the larger the signal."""
    pictures = rng.integers(0, 60, (len(signal), 10, 8, 1))
    lengths = np.clip(np.round(5 + 1.2 * signal), 0, 10).astype(int)
    for row, length in enumerate(lengths):
        pictures[row, :length, 3:5] += 180
    matrix = pictures.reshape(len(signal), -1).astype(np.uint8)
    return matrix, [Feature(name="photo", source="photo", shape=(10, 8, 1))]


def _make_columns(
    numbers: np.ndarray, few: np.ndarray, many: np.ndarray, needs: Needs, rng: np.random.Generator
) -> tuple[list[np.ndarray], list[Feature]]:
    columns = [*numbers.T]
    features = [Feature(name=f"x{at}", source=f"x{at}") for at in range(numbers.shape[1])]
    for name, codes, levels in (("few", few, 3), ("many", many, 14)):
        if needs.categories == "numeric":
            columns += [(codes == level).astype(float) for level in range(levels)]
            features += [Feature(name=f"{name}={level}", source=name) for level in range(levels)]
            continue
        gap = rng.random(len(codes)) < 0.1
        native = needs.categories == "native"
        columns.append(np.where(gap, np.nan if native else levels, codes))
        features.append(Feature(name=name, source=name, cardinality=levels if native else levels + 2))
    return columns, features


def make_context(problem: Problem, **changes: Any) -> FitContext:
    """A context without a deadline; every fifth row is held out for early stopping."""
    given = {"stop_rows": np.arange(4, problem.matrix.shape[0], 5, dtype=np.int64), "seed": 3, **changes}
    return FitContext(task=problem.task, features=problem.features, **given)


def check_predictions(predictions: np.ndarray, problem: Problem, rows: int) -> None:
    """What any prediction must be: float32, the right shape, finite, probabilities that sum to 1."""
    assert predictions.dtype == np.float32
    assert predictions.shape == (rows, problem.task.n_outputs)
    assert np.isfinite(predictions).all()
    if problem.task.is_classification:
        assert (predictions >= 0).all()
        np.testing.assert_allclose(predictions.sum(axis=1), 1.0, atol=1e-5)


class CandidateConformance:
    """What search, ensemble and predictor rely on. Subclasses set `candidate`.

    Attributes:
        candidate: name of the plug-in.
        edge_kinds: kinds of task for which every edge of the space is fitted; fewer where a fit is slow.
        some_kinds: kinds of task for which, in the quick suite, what hardly hangs on the kind is fitted; fewer where a
            fit is slow.
        edges_together: take all lower edges at once, all upper ones, and so on, where a fit is slow.
        quick: parameters with which a fit is soon over, for tests that do not ask what was learned.
        enough: parameters with which it learns what the other tests ask; the defaults unless they are slow.
        tolerance: by how much a reloaded model's predictions may differ.
        late_seconds: processor seconds that a fit may take beyond its deadline.
    """

    candidate: str
    edge_kinds: tuple[TaskKind, ...] = tuple(TaskKind)
    some_kinds: tuple[TaskKind, ...] = tuple(TaskKind)
    quick: ClassVar[Params] = {}
    enough: ClassVar[Params] = {}
    edges_together = False
    tolerance = 0.0
    late_seconds = 1.3

    @property
    def plugin(self) -> Candidate:
        return CANDIDATES.get(self.candidate)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test for the kinds of task that the family supports, and each edge by its name."""
        kinds = [kind for kind in TaskKind if not self._unsupported(kind)]
        if "edge" in metafunc.fixturenames:
            cases = [(kind, edge) for kind in kinds if kind in self.edge_kinds for edge in self._edges(kind)]
            names = [f"{kind}-{_spell(edge)}" for kind, edge in cases]
            metafunc.parametrize(("kind", "edge"), cases, ids=names)
        elif "class_kind" in metafunc.fixturenames:
            metafunc.parametrize("class_kind", [kind for kind in kinds if CLASSES[kind]], ids=str)
        elif "kind" in metafunc.fixturenames:
            metafunc.parametrize("kind", kinds, ids=str)
        elif "some_kind" in metafunc.fixturenames:
            rest = [pytest.param(kind, marks=pytest.mark.slow) for kind in kinds if kind not in self.some_kinds]
            metafunc.parametrize("some_kind", [*(kind for kind in kinds if kind in self.some_kinds), *rest], ids=str)

    def _unsupported(self, kind: TaskKind) -> str:
        problem = make_problem(kind, self.plugin.needs)
        return self.plugin.unsupported(problem.task, problem.shape)

    def _edges(self, kind: TaskKind) -> Iterator[Params]:
        """Each parameter at each edge of its range, the others at their defaults, its condition made true."""
        problem = make_problem(kind, self.plugin.needs)
        space = self.plugin.space(problem.task, problem.shape)
        if self.edges_together:
            most = max(len(parameter.edges()) for parameter in space.parameters.values())
            for at in range(most):
                together = {name: value.edges()[at % len(value.edges())] for name, value in space.parameters.items()}
                yield {name: together[name] for name, _ in space.walk(together)}
            return
        for name, parameter in space.parameters.items():
            condition = space.conditions.get(name)
            needed = {condition.parent: condition.values[0]} if condition else {}
            yield from ({**needed, name: value} for value in parameter.edges() if value != parameter.default)

    def fit(self, problem: Problem, given: Params | None = None, weight: Any = None, **changes: Any) -> Estimator:
        """Fit with `given`, or quickly; `given={}` means the defaults."""
        params = self.plugin.space(problem.task, problem.shape).complete(self.quick if given is None else given)
        estimator = self.plugin.build(params, make_context(problem, **changes))
        estimator.fit(problem.matrix, problem.target, weight)
        return estimator

    def fitted(self, kind: TaskKind) -> Estimator:
        """A model of 120 rows, fitted once for the tests that only read it."""
        models = FITTED.setdefault(self.candidate, {})
        if kind not in models:
            models[kind] = self.fit(make_problem(kind, self.plugin.needs, rows=120))
        return models[kind]

    def test_it_says_what_it_is(self) -> None:
        assert self.plugin.title and self.plugin.cost > 0
        assert self.plugin.pool in {"core", "keras"}

    def test_the_defaults_lie_in_the_space_and_are_json(self, kind: TaskKind) -> None:
        problem = make_problem(kind, self.plugin.needs)
        defaults = self.plugin.space(problem.task, problem.shape).defaults()
        assert json.loads(json.dumps(defaults)) == defaults

    def test_it_learns_with_its_defaults(self, kind: TaskKind) -> None:
        """400 rows: at least a tenth of a constant's error must go, unless it is the constant."""
        problem = make_problem(kind, self.plugin.needs, rows=400)
        predictions = self.fit(problem, {}).predict(problem.matrix)
        check_predictions(predictions, problem, 400)
        if self.candidate != "dummy":
            assert _error(predictions, problem) < 0.9 * _constant_error(problem)

    def test_every_edge_of_the_space_fits_and_predicts(self, kind: TaskKind, edge: Params) -> None:
        problem = make_problem(kind, self.plugin.needs)
        check_predictions(self.fit(problem, {**edge, **self.quick}).predict(problem.matrix), problem, 60)

    def test_the_same_seed_gives_the_same_model(self, kind: TaskKind) -> None:
        problem = make_problem(kind, self.plugin.needs, rows=120)
        first = self.fitted(kind).predict(problem.matrix)
        np.testing.assert_array_equal(self.fit(problem).predict(problem.matrix), first)

    def test_what_is_saved_predicts_the_same_when_loaded(self, kind: TaskKind, tmp_path: Path) -> None:
        problem = make_problem(kind, self.plugin.needs, rows=120)
        estimator = self.fitted(kind)
        estimator.save(tmp_path)
        loaded = self.plugin.load(tmp_path)
        for rows in (problem.matrix, problem.matrix[:1], problem.matrix[:0]):
            expected = estimator.predict(rows)
            check_predictions(loaded.predict(rows), problem, rows.shape[0])
            np.testing.assert_allclose(loaded.predict(rows), expected, rtol=self.tolerance, atol=self.tolerance)

    def test_the_models_of_a_bag_answer_without_a_word(
        self, some_kind: TaskKind, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Seven of the same kind, loaded one after the other, as a bag of folds is."""
        problem = make_problem(some_kind, self.plugin.needs, rows=120)
        self.fitted(some_kind).save(tmp_path)
        logging.getLogger("tensorflow").addHandler(caplog.handler)
        try:
            for model in [self.plugin.load(tmp_path) for _ in range(7)]:
                model.predict(problem.matrix[:3])
        finally:
            logging.getLogger("tensorflow").removeHandler(caplog.handler)
        assert [record.getMessage() for record in caplog.records] == []
        assert capfd.readouterr() == ("", "")

    def test_one_row_gets_what_it_gets_among_others(self, kind: TaskKind) -> None:
        problem = make_problem(kind, self.plugin.needs, rows=120)
        estimator = self.fitted(kind)
        together = estimator.predict(problem.matrix)
        alone = np.concatenate([estimator.predict(problem.matrix[at : at + 1]) for at in range(20)])
        np.testing.assert_allclose(alone, together[:20], rtol=1e-5, atol=1e-5)

    def test_threads_that_predict_at_once_get_what_one_gets(self, kind: TaskKind) -> None:
        problem = make_problem(kind, self.plugin.needs, rows=120)
        estimator = self.fitted(kind)
        if self.plugin.pool != "core" and not getattr(estimator, "is_thread_safe", False):
            pytest.skip("nothing is promised: its network is Keras's own")
        expected = estimator.predict(problem.matrix)
        with ThreadPoolExecutor(4) as pool:
            for found in pool.map(estimator.predict, [problem.matrix] * 12):
                np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)

    def test_it_fits_without_stop_rows_and_with_a_refit(self, some_kind: TaskKind) -> None:
        problem = make_problem(some_kind, self.plugin.needs)
        none = np.zeros(0, dtype=np.int64)
        for changes in ({"stop_rows": none}, {"refit": True}):
            check_predictions(self.fit(problem, **changes).predict(problem.matrix), problem, 60)

    def test_a_class_absent_from_training_gets_a_column_of_small_probabilities(self, class_kind: TaskKind) -> None:
        problem = make_problem(class_kind, self.plugin.needs, rows=200)
        absent = dataclasses.replace(problem, target=problem.without_class(0))
        predictions = self.fit(absent, self.enough).predict(problem.matrix)
        check_predictions(predictions, problem, 200)
        assert predictions[:, 0].max() < 0.15

    def test_constant_columns_do_no_harm(self, some_kind: TaskKind) -> None:
        problem = make_problem(some_kind, self.plugin.needs)
        dense = to_dense(problem.matrix)
        dense[:, 1] = 0.0
        dense[:, -1] = 1.0
        matrix = shape_matrix(dense, self.plugin.needs)
        flat = dataclasses.replace(problem, matrix=matrix)
        check_predictions(self.fit(flat).predict(matrix), problem, 60)

    def test_a_constant_value_is_predicted(self) -> None:
        if self._unsupported(TaskKind.REGRESSION):
            pytest.skip("classes only")
        problem = make_problem(TaskKind.REGRESSION, self.plugin.needs)
        constant = dataclasses.replace(problem, target=np.full(60, 7.5))
        np.testing.assert_allclose(self.fit(constant).predict(problem.matrix), 7.5, atol=1e-4)

    def test_missing_and_unseen_cells_are_predicted_where_the_family_takes_them(self, kind: TaskKind) -> None:
        problem = make_problem(kind, self.plugin.needs, rows=120)
        estimator = self.fitted(kind)
        strange = to_dense(problem.matrix)
        if self.plugin.needs.missing:
            strange[:20] = np.nan
        for at, feature in enumerate(problem.features):
            if feature.cardinality:  # the last code may never have occurred in training
                strange[20:40, at] = feature.cardinality - 1
        check_predictions(estimator.predict(shape_matrix(strange, self.plugin.needs)), problem, 120)

    def test_its_graph_answers_as_it_does_or_is_refused(self, kind: TaskKind) -> None:
        """ONNX Runtime beside `predict`, on holes, on numbers at the edge of float32, and on one row alone."""
        problem = make_problem(kind, self.plugin.needs, rows=120)
        estimator = self.fitted(kind)
        graph = Graph()
        sparse, pixels = self.plugin.needs.text == "sparse", self.plugin.needs.pictures == "pixels"
        shape = problem.features[0].shape if pixels else (problem.matrix.shape[1],)
        matrix: Any = input_sparse(graph, problem) if sparse else None
        matrix = matrix or graph.input("matrix", "uint8" if pixels else "float32", shape)
        try:
            outputs = graph.cast(estimator.to_graph(graph, matrix), "float32")  # type: ignore[attr-defined]
        except AttributeError as refusal:
            assert self.candidate not in CANDIDATES.names(), refusal
            return
        except NoGraphError as refusal:  # only what reads texts or pictures may have none
            assert self.plugin.needs.text == "tokens" or pixels, refusal
            return
        graph.output("outputs", outputs, "float32", problem.task.n_outputs)
        session = open_session(graph)
        troubled = problem.matrix if sparse or pixels else plant_trouble(problem, self.plugin.needs)
        for rows in (troubled, problem.matrix[:1]):
            feed = (
                list_entries(rows, problem.features[-1].width)
                if sparse
                else {"matrix": rows.reshape(len(rows), *shape)}
            )
            expected, found = estimator.predict(rows), session.run(None, feed)[0]
            scale = 1.0 if problem.task.is_classification else float(np.abs(expected).max())
            assert np.abs(found - expected).max() / scale < (1e-4 if problem.task.is_classification else 1e-5)

    def test_weights_are_accepted_and_followed(self, some_kind: TaskKind) -> None:
        """Half of the rows contradict the other half; the weight says which half to believe."""
        problem = make_problem(some_kind, self.plugin.needs, rows=300)
        mirrored = _mirror(problem)
        matrix = shape_matrix(np.concatenate([to_dense(problem.matrix)] * 2), self.plugin.needs)
        both = dataclasses.replace(problem, matrix=matrix, target=np.concatenate([problem.target, mirrored.target]))
        weight = np.repeat([1.98, 0.02], 300)
        predictions = self.fit(both, self.enough, weight).predict(problem.matrix)
        check_predictions(predictions, problem, 300)
        if self.candidate != "dummy":
            assert _error(predictions, problem) < _error(predictions, mirrored)

    @pytest.mark.parametrize("seconds", [-1.0, 0.3])
    def test_the_deadline_is_kept_on_20000_rows(self, some_kind: TaskKind, seconds: float) -> None:
        problem = make_problem(some_kind, self.plugin.needs, rows=20_000)
        if self.plugin.unsupported(problem.task, problem.shape):
            problem = make_problem(some_kind, self.plugin.needs, rows=5_000)
        self.fitted(some_kind)  # imports and first calls are the warm worker's, not the fit's
        for attempt in range(3):  # a machine that is shared has slow moments; a deadline that is ignored fails always
            started = time.process_time()  # other work on a busy machine must not fail this test
            estimator = self.fit(problem, {}, deadline=time.monotonic() + seconds)
            spent = time.process_time() - started
            if spent < max(seconds, 0.0) + self.late_seconds:
                break
            assert attempt < 2, f"{spent:.1f} processor seconds"
        check_predictions(estimator.predict(problem.matrix[:500]), problem, 500)

    def test_a_damaged_or_foreign_folder_is_refused(self, tmp_path: Path) -> None:
        estimator = self.fitted(TaskKind.BINARY)
        for at, damage in enumerate((_empty, _cut_files, _flip_bits, _add_file, _rename_candidate, _put_pickle)):
            folder = tmp_path / str(at)
            folder.mkdir()
            estimator.save(folder)
            self.plugin.load(folder)
            damage(folder)
            with pytest.raises(ArtifactError) as refusal:
                self.plugin.load(folder)
            assert refusal.value.hint
        assert not (tmp_path / "executed").exists()

    def test_a_forged_record_is_refused(self, tmp_path: Path) -> None:
        """Each fact in turn is replaced by nonsense, with the rest of the folder as it was written."""
        self.fitted(TaskKind.BINARY).save(tmp_path)
        path = tmp_path / "record.json"
        honest = json.loads(path.read_text(encoding="utf-8"))
        for name in honest["facts"]:
            if name == "scale":  # not there for classes
                continue
            forged = {**honest, "facts": {**honest["facts"], name: {"a": ["nonsense"]}}}
            path.write_text(json.dumps(forged), encoding="utf-8")
            with pytest.raises(ArtifactError):
                self.plugin.load(tmp_path)


def input_sparse(graph: Graph, problem: Problem) -> SparseNames:
    """A matrix whose last feature is sparse, as inputs: the columns in front, places and values of what is not zero."""
    width = problem.features[-1].width
    front = graph.input("front", "float32", (problem.matrix.shape[1] - width,))
    places, values = graph.input("places", "int64", ("entries",)), graph.input("values", "float32", ("entries",))
    return SparseNames(rows=front, front=front, blocks=((places, values, width),))


def list_entries(matrix: Any, width: int) -> dict[str, np.ndarray]:
    """What `input_sparse` is fed with: entries (n, s) of the last columns, filled up with the place behind them."""
    front, rows = matrix[:, :-width].toarray(), matrix[:, -width:].tocsr()
    most = max(1, int(np.diff(rows.indptr).max()))
    places = np.full((rows.shape[0], most), width, dtype=np.int64)
    values = np.zeros((rows.shape[0], most), dtype=np.float32)
    for at in range(rows.shape[0]):
        own = slice(rows.indptr[at], rows.indptr[at + 1])
        places[at, : own.stop - own.start], values[at, : own.stop - own.start] = rows.indices[own], rows.data[own]
    return {"front": front, "places": places, "values": values}


def open_session(graph: Graph) -> Any:
    """The graph in ONNX Runtime."""
    import onnxruntime

    from automl.export._model import build_model

    model = build_model(graph, name="test", facts={})
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def plant_trouble(problem: Problem, needs: Needs) -> np.ndarray:
    """The rows with what the preprocessing lets through: holes and huge numbers where numbers come unscaled."""
    rng = np.random.default_rng(5)
    rows = np.array(problem.matrix)
    if needs.missing:
        rows[rng.random(rows.shape) < 0.2] = np.nan
    if not needs.scaled:
        rows[:30, :4] = rng.choice([1e30, -1e30, 3e38, -0.0, 1e-38], (30, 4)).astype(np.float32)
    return rows


def _spell(edge: Params) -> str:
    return ",".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}" for name, value in edge.items()
    )


def _mirror(problem: Problem) -> Problem:
    """The same rows with the opposite target."""
    if problem.task.is_classification:
        return dataclasses.replace(problem, target=problem.task.n_classes - 1 - problem.target)
    return dataclasses.replace(problem, target=2 * problem.target.mean() - problem.target)


def _error(predictions: np.ndarray, problem: Problem) -> float:
    """Log loss, or root mean squared error."""
    if problem.task.is_classification:
        chosen = predictions[np.arange(len(predictions)), problem.target]
        return float(-np.log(np.maximum(chosen, 1e-7)).mean())
    return math.sqrt(float(((predictions[:, 0] - problem.target) ** 2).mean()))


def _constant_error(problem: Problem) -> float:
    """Error of the class shares, or of the mean."""
    if problem.task.is_classification:
        shares = np.bincount(problem.target, minlength=problem.task.n_classes) / len(problem.target)
        return float(-(shares * np.log(shares)).sum())
    return float(problem.target.std())


def _files(folder: Path) -> list[Path]:
    """The model's own files, or the record if it is all there is."""
    return [path for path in folder.iterdir() if path.name != "record.json"] or [folder / "record.json"]


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def _cut_files(folder: Path) -> None:
    for path in _files(folder):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flip_bits(folder: Path) -> None:
    for path in _files(folder):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)


def _add_file(folder: Path) -> None:
    (folder / "extra.bin").write_bytes(b"more")


def _rename_candidate(folder: Path) -> None:
    path = folder / "record.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**record, "candidate": "another"}), encoding="utf-8")


class _Marker:
    """Unpickling it makes a file: whoever reads a model so has been fooled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.path,)


def _put_pickle(folder: Path) -> None:
    """A pickle with a side effect in place of every file, with honest checksums beside it."""
    from automl.files import sha256

    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    content = pickle.dumps(_Marker(folder.parent / "executed"))
    for path in _files(folder):
        path.write_bytes(content)
        record["files"][path.name] = sha256(path)
    if (folder / "record.json") not in _files(folder):
        (folder / "record.json").write_text(json.dumps(record), encoding="utf-8")
