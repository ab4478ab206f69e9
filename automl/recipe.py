"""Everything a user can ask of a run: defaults < recipe file < flags; the complete recipe is kept in the run folder."""

from __future__ import annotations

import math
import reprlib
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import pydantic

from automl.errors import RecipeError, did_you_mean

MAX_BYTES = 4 << 20  # a run writes down its own, with a role for each of many thousand columns; read in 1 GB at worst
MAX_ALIASES = 64
MAX_FAULTS = 20  # that are told at once
COMMAND_LINE = "the command line"  # as the source of what options lay over a recipe


def _read_number(value: Any) -> Any:
    """YAML 1.1 reads `1e3` as text and `yes` as True; a number is meant by the one, and none by the other."""
    if isinstance(value, bool):
        raise ValueError("should be a number")
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return value
        return int(number) if math.isfinite(number) and number.is_integer() else number
    return value


Whole = Annotated[int, pydantic.BeforeValidator(_read_number)]
Real = Annotated[float, pydantic.BeforeValidator(_read_number)]


# Keyword arguments of `fit` that stand for a part of the budget.
SHORTHANDS = {"time": "seconds", "seconds": "seconds", "trials": "trials", "jobs": "jobs", "memory_mb": "memory_mb"}


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False)


class Budget(_Part):
    """How much may be spent.

    Attributes:
        seconds: wall clock from the command's start to the prompt; None only beside `trials`.
        trials: number of configurations; with it every decision follows from the seed alone.
        jobs: worker processes at once; None means one a core.
        memory_mb: resident memory for all processes together; None means 80% of what is free at the start.
        device: what neural networks learn on; "auto" takes an accelerator if the backend sees one.
    """

    seconds: Real | None = pydantic.Field(default=300.0, ge=3)
    trials: Whole | None = pydantic.Field(default=None, ge=1, le=100_000)
    jobs: Whole | None = pydantic.Field(default=None, ge=1, le=1024)
    memory_mb: Whole | None = pydantic.Field(default=None, ge=512)
    device: Literal["auto", "cpu", "gpu"] = "auto"

    @pydantic.model_validator(mode="after")
    def _has_an_end(self) -> Self:
        if self.seconds is None and self.trials is None:
            raise ValueError("give seconds or trials: without either a run has no end")
        return self


class DataOptions(_Part):
    """How the table is read.

    Attributes:
        encoding: a codec's name, or None to find it out.
        embeddings: file of word vectors (word2vec or GloVe as text) that networks over words start from.
        encoder: whether texts may be read by a sentence encoder: those of the extras `languages` and `text`, where
            they are installed, or `backbone`.
        backbone: folder of a BERT, in the format of Hugging Face or as a preset of KerasHub, that reads texts in place
            of the extras' encoders; or file of weights of keras.applications that a net on pictures starts from.
        roles: column → role, overriding the guess; "ignore" drops.
        drop: columns to leave out.
        keep: columns to use although they look like an identifier or a leak.
        group: column whose rows must not be split between training and scoring.
        time: column that orders the rows; later rows are scored by models of earlier ones.
        weight: column of row weights.
        sheet: sheet of a workbook.
        positive: label of the positive class of a binary task.
        sensitive: columns whose groups the report compares, whether models see them or not.
    """

    encoding: str | None = None
    embeddings: str | None = None
    encoder: bool = True
    backbone: str | None = None
    roles: dict[str, Literal["number", "category", "date", "text", "image", "ignore"]] = {}
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    group: str | None = None
    time: str | None = None
    weight: str | None = None
    sheet: str | None = None
    positive: str | None = None
    sensitive: tuple[str, ...] = ()


class SplitOptions(_Part):
    """How rows are set apart for scoring; "auto" follows from the size (see `automl.data.split`)."""

    folds: Annotated[Whole, pydantic.Field(ge=1, le=100)] | Literal["auto"] = "auto"
    repeats: Annotated[Whole, pydantic.Field(ge=1, le=100)] | Literal["auto"] = "auto"


class Configuration(_Part):
    """One configuration of a model family, as a run found it.

    Attributes:
        candidate: the family.
        label: what the leaderboard calls it; the family's name unless given.
        params: "model.*" of the family and "preprocess.*" of its matrix; the defaults for what is left out.
    """

    candidate: str
    label: str = ""
    params: dict[str, bool | int | float | str | None] = {}


class SearchOptions(_Part):
    """What is tried.

    Attributes:
        candidates: model families, or "auto" for all that are installed and suit the data.
        first: configurations tried before all others but the baselines, such as the best ones of an earlier run.
        portfolio: start from the known-good configurations.
        tune: go on with Optuna after the portfolio.
        racing: give up a configuration whose first folds are clearly worse.
        trial_seconds: longest time for one fold of one configuration; None follows from the budget.
    """

    candidates: Annotated[tuple[str, ...], pydantic.Field(min_length=1)] | Literal["auto"] = "auto"
    first: tuple[Configuration, ...] = ()
    portfolio: bool = True
    tune: bool = True
    racing: bool = True
    trial_seconds: Real | None = pydantic.Field(default=None, gt=0)


class EnsembleOptions(_Part):
    """How models are combined.

    Attributes:
        rounds: steps of greedy selection.
        max_members: the most members it may have; 1: the best single model.
        latency_ms: members are chosen so that one row takes no longer, where that is possible; None for no such aim.
            Where there are texts or pictures to read, a row may take five times as long.
        second_layer: at the end the members' probabilities are joined by slopes learned from their out-of-fold
            outputs, where rows that these were not learned from say that it is better than the weighted mean.
    """

    rounds: Whole = pydantic.Field(default=25, ge=1, le=200)
    max_members: Whole = pydantic.Field(default=12, ge=1, le=100)
    latency_ms: Real | None = pydantic.Field(default=20.0, gt=0)
    second_layer: bool = True


class Constraints(_Part):
    """What the chosen model must keep; a run that cannot ends with exit code 8.

    Attributes:
        latency_ms: time for one row in a warm process.
        size_mb: size of the model folder.
    """

    latency_ms: Real | None = pydantic.Field(default=None, gt=0)
    size_mb: Real | None = pydantic.Field(default=None, gt=0)


class ReportOptions(_Part):
    """What the report may show: with `include_samples` texts and pictures of the data."""

    include_samples: bool = False


class Recipe(_Part):
    """A complete search, as a value. Frozen; unknown keys are refused."""

    name: str = "balanced"
    task: Literal["auto", "binary", "multiclass", "regression"] = "auto"
    metric: str = "auto"
    seed: Whole = pydantic.Field(default=0, ge=0, le=2**31 - 1)
    budget: Budget = Budget()
    data: DataOptions = DataOptions()
    split: SplitOptions = SplitOptions()
    search: SearchOptions = SearchOptions()
    ensemble: EnsembleOptions = EnsembleOptions()
    constraints: Constraints = Constraints()
    report: ReportOptions = ReportOptions()

    def override(self, changes: dict[str, Any], *, source: str = COMMAND_LINE) -> Recipe:
        """The recipe with nested `changes` laid over it.

        Raises:
            RecipeError: naming every fault.
        """
        return build_recipe(_merge(self.model_dump(), changes), source=source)

    def with_shorthands(self, changes: dict[str, Any]) -> Recipe:
        """The recipe with keyword arguments of `fit` laid over it; `trials` alone lifts the time limit.

        Raises:
            RecipeError: naming every fault.
        """
        nested: dict[str, Any] = {}
        for name, value in changes.items():
            if value is not None and name in SHORTHANDS:
                nested.setdefault("budget", {})[SHORTHANDS[name]] = value
            elif value is not None:
                nested[name] = value
        limits = nested.get("budget", {})
        if "trials" in limits and "seconds" not in limits:
            limits["seconds"] = None
        return self.override(nested, source="the call") if nested else self

    def anchor(self) -> Recipe:
        """The recipe with the paths of its files absolute, so that it may be run again from any folder."""
        named = {"embeddings": self.data.embeddings, "backbone": self.data.backbone}
        paths = {name: str(Path(path).expanduser().absolute()) for name, path in named.items() if path}
        return self.model_copy(update={"data": self.data.model_copy(update=paths)})

    def dump_yaml(self) -> str:
        """The complete recipe; running it repeats the run."""
        import yaml

        class Dumper(yaml.SafeDumper):
            """Quotes what a plain scalar would lose, such as U+0085 in a column's name."""

        def quote_unprintable(dumper: Dumper, text: str) -> yaml.ScalarNode:
            style = None if text.isprintable() else '"'
            return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

        Dumper.add_representer(str, quote_unprintable)
        return yaml.dump(self.model_dump(mode="json"), Dumper=Dumper, sort_keys=False, allow_unicode=True)


def build_recipe(record: Any, *, source: str) -> Recipe:
    """Validate a nested dict.

    Raises:
        RecipeError: one line a fault, with the nearest known key.
    """
    if not isinstance(record, dict):
        raise RecipeError(f"{source} holds no recipe: it must be keys and values", hint="automl recipes")
    try:
        return Recipe.model_validate(record)
    except pydantic.ValidationError as error:
        raise RecipeError(
            f"{source} is not valid: " + "; ".join(_describe_faults(error)),
            hint="automl fit --help"
            if source == COMMAND_LINE
            else "automl recipes shows the ones that come with the tool",
        ) from None


def load_recipe(name_or_path: str) -> Recipe:
    """A recipe by name (`automl recipes`) or from a YAML file.

    Raises:
        RecipeError: if there is none, it is too large, or it has faults.
    """
    path = Path(name_or_path)
    known = recipe_paths()
    if path.suffix.lower() not in {".yaml", ".yml"}:
        if name_or_path not in known:
            raise RecipeError(f"There is no recipe {name_or_path!r}", hint=did_you_mean(name_or_path, known))
        path = known[name_or_path]
    if not path.is_file():
        raise RecipeError(f"There is no file {path}", hint="automl recipes")
    if path.stat().st_size > MAX_BYTES:
        raise RecipeError(f"{path} is larger than {MAX_BYTES >> 20} MiB", hint="A recipe is a page of text")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path} is not UTF-8 text", hint="Save it as UTF-8") from error
    return build_recipe(_lift_time(_read_yaml(text, path)), source=str(path))


def _lift_time(record: Any) -> Any:
    """A file that names `trials` and no `seconds` asks for these alone, as `--trials` does."""
    budget = record.get("budget") if isinstance(record, dict) else None
    if not isinstance(budget, dict) or budget.get("trials") is None or "seconds" in budget:
        return record
    return {**record, "budget": {**budget, "seconds": None}}


def recipe_paths() -> dict[str, Path]:
    """Recipes that come with the tool, by name."""
    return {path.stem: path for path in sorted(shared_folder("recipes").glob("*.yaml"))}


def shared_folder(name: str) -> Path:
    """`recipes/` or `datasets/`: inside the installed package, or beside it in a checkout."""
    inside = Path(__file__).parent / "_share" / name
    return inside if inside.is_dir() else Path(__file__).parent.parent / name


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict) and key != "roles":
            merged[key] = _merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def _read_yaml(text: str, path: Path) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses duplicate keys and alias bombs, which the safe loader accepts."""

        aliases = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                Loader.aliases += 1
                if Loader.aliases > MAX_ALIASES:
                    raise yaml.YAMLError(f"more than {MAX_ALIASES} aliases")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
            twice = {key for key, count in keys.items() if count > 1}
            if twice:
                raise yaml.YAMLError(f"key given twice: {', '.join(sorted(twice))}")
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader=Loader)  # noqa: S506 - a SafeLoader, made stricter
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # ValueError: the date 2026-99-99
        first = str(error).replace("\n", " ")[:200]
        raise RecipeError(f"{path} is not valid YAML: {first}", hint="automl recipes") from error


def _describe_faults(error: pydantic.ValidationError) -> list[str]:
    """One sentence a place; what each kind of a union says of the same value is joined."""
    said: dict[tuple[Any, ...], list[Any]] = {}
    for fault in error.errors(include_url=False):
        said.setdefault(_place(fault["loc"]), []).append(fault)
    # a fault inside a list makes the union that the list belongs to fail as well: only the inner one tells something
    outer = {place[:depth] for place in said for depth in range(len(place))}
    inner = [place for place in said if place not in outer]
    told = [f"{'.'.join(map(str, place))} {_describe(place, said[place])}".strip() for place in inner[:MAX_FAULTS]]
    return told + ([f"and {len(inner) - MAX_FAULTS} more faults"] if len(inner) > MAX_FAULTS else [])


def _describe(place: tuple[Any, ...], faults: list[Any]) -> str:
    first = faults[0]
    if first["type"] == "extra_forbidden":
        hint = did_you_mean(str(place[-1]), _known_keys(place[:-1]))
        return "is not a key here" + (f" ({hint})" if hint else "")
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    value = reprlib.repr(first["input"])[:40]  # cut while it is made: aliases can make it endless
    wanted = " or ".join(dict.fromkeys(_decapitalized(fault["msg"]) for fault in faults))
    is_scalar = first["input"] is not None and not isinstance(first["input"], dict | list | tuple)
    quotes = "; write it in quotes" if first["type"] == "string_type" and is_scalar else ""
    return f"{value}: {wanted}{quotes}"


def _decapitalized(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def _place(location: tuple[Any, ...]) -> tuple[Any, ...]:
    """Where a fault is, without pydantic's names for the kinds of a union."""
    model: type[pydantic.BaseModel] | None = Recipe
    for depth, part in enumerate(location):
        field = model.model_fields.get(str(part)) if model else None
        if field is None:
            return location
        if isinstance(field.annotation, type) and issubclass(field.annotation, _Part):
            model = field.annotation
            continue
        kinds = [kind for kind in get_args(field.annotation) if kind is not type(None)]
        is_union = len(kinds) > 1 and field.default == "auto" and len(location) > depth + 1
        return (*location[: depth + 1], *location[depth + 2 :]) if is_union else location
    return location


def _known_keys(place: tuple[Any, ...]) -> list[str]:
    model: type[pydantic.BaseModel] = Recipe
    for part in place:
        annotation = model.model_fields[str(part)].annotation if str(part) in model.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
