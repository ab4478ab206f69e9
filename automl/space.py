"""What can be chosen about a model: named Float, Int and Choice parameters with defaults and conditions.

Knows nothing of Optuna; `automl.search.study` translates.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

Params = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Float:
    """A real number in [low, high]; `log` draws it on a logarithmic scale (low > 0)."""

    low: float
    high: float
    default: float
    log: bool = False

    def draw(self, rng: np.random.Generator) -> float:
        if self.log:
            value = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
            return min(max(value, self.low), self.high)  # exp(log(0.1)) is not 0.1
        return float(rng.uniform(self.low, self.high))

    def step(self, value: float, size: float, rng: np.random.Generator) -> float:
        """A value near another: normally distributed around it, with `size` of the range (of its logarithm) as the
        standard deviation."""
        low, high, at = (math.log(each) if self.log else each for each in (self.low, self.high, value))
        moved = at + size * (high - low) * float(rng.normal())
        return min(max(math.exp(moved) if self.log else moved, self.low), self.high)

    def edges(self) -> tuple[float, ...]:
        return (self.low, self.high)

    def contains(self, value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high


@dataclasses.dataclass(frozen=True, slots=True)
class Int:
    """A whole number in [low, high]; `log` as for Float."""

    low: int
    high: int
    default: int
    log: bool = False

    def draw(self, rng: np.random.Generator) -> int:
        if self.log:
            return round(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))
        return int(rng.integers(self.low, self.high + 1))

    def step(self, value: int, size: float, rng: np.random.Generator) -> int:
        """As `Float.step`, rounded."""
        return round(Float(self.low, self.high, self.low, self.log).step(value, size, rng))

    def edges(self) -> tuple[int, ...]:
        return (self.low, self.high)

    def contains(self, value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """One of several values (str, int, float, bool or None)."""

    values: tuple[Any, ...]
    default: Any

    def draw(self, rng: np.random.Generator) -> Any:
        return self.values[int(rng.integers(len(self.values)))]

    def step(self, value: Any, size: float, rng: np.random.Generator) -> Any:
        """The same value, but with probability `size` one that is drawn anew."""
        return self.draw(rng) if rng.random() < size else value

    def edges(self) -> tuple[Any, ...]:
        return self.values

    def contains(self, value: Any) -> bool:
        return value in self.values


Parameter = Float | Int | Choice


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """A parameter is only asked for when `parent` has one of `values`."""

    parent: str
    values: tuple[Any, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class SearchSpace:
    """Parameters by name, in order; a conditional one stands after its parent.

    Raises:
        ValueError: on building, if a default lies outside its range, a logarithmic range does not lie above 0, or a
            condition names no earlier parameter.
    """

    parameters: Mapping[str, Parameter] = dataclasses.field(default_factory=dict)
    conditions: Mapping[str, Condition] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for name in self.conditions:
            if name not in self.parameters:
                raise ValueError(f"a condition is set on {name}, which is not a parameter here")
        for name, parameter in self.parameters.items():
            if not isinstance(parameter, Choice) and parameter.log and parameter.low <= 0:
                raise ValueError(f"{name} has a logarithmic range that does not lie above 0: {parameter}")
            if not parameter.contains(parameter.default):
                raise ValueError(f"default {parameter.default!r} of {name} lies outside {parameter}")
            condition = self.conditions.get(name)
            if condition is not None and condition.parent not in seen:
                raise ValueError(f"{name} depends on {condition.parent}, which does not stand before it")
            seen.add(name)

    def __or__(self, other: SearchSpace) -> SearchSpace:
        return SearchSpace({**self.parameters, **other.parameters}, {**self.conditions, **other.conditions})

    def prefixed(self, prefix: str) -> SearchSpace:
        """The same space with `prefix.` before every name."""
        return SearchSpace(
            {f"{prefix}.{name}": parameter for name, parameter in self.parameters.items()},
            {
                f"{prefix}.{name}": Condition(f"{prefix}.{condition.parent}", condition.values)
                for name, condition in self.conditions.items()
            },
        )

    def is_active(self, name: str, params: Mapping[str, Any]) -> bool:
        """Whether `name` is asked for, given the parameters that stand before it."""
        condition = self.conditions.get(name)
        if condition is None:
            return True
        # a parent that is itself not asked for has no value, which is not the value None
        return condition.parent in params and params[condition.parent] in condition.values

    def walk(self, params: Mapping[str, Any]) -> Iterator[tuple[str, Parameter]]:
        """Active parameters in order; `params` may be filled in while walking."""
        for name, parameter in self.parameters.items():
            if self.is_active(name, params):
                yield name, parameter

    def step(self, params: Mapping[str, Any], size: float, rng: np.random.Generator) -> Params:
        """A complete configuration near another one: each number moved a little, each choice likely as it was."""
        result: Params = {}
        for name, parameter in self.walk(result):
            result[name] = parameter.step(params.get(name, parameter.default), size, rng)
        return result

    def complete(self, given: Mapping[str, Any]) -> Params:
        """`given`, with the defaults of what it leaves out, without what is inactive.

        Raises:
            ValueError: if a name is unknown or a value lies outside its range; all faults are told together.
        """
        faults = [f"{name} is not a parameter here" for name in given if name not in self.parameters]
        result: Params = {}
        for name, parameter in self.walk(result):
            value = given.get(name, parameter.default)
            if not parameter.contains(value):
                faults.append(f"{name}={value!r} lies outside {parameter}")
            result[name] = value
        if faults:
            raise ValueError("; ".join(faults))
        return result

    def defaults(self) -> Params:
        return self.complete({})

    def sample(self, rng: np.random.Generator) -> Params:
        """One configuration, drawn uniformly (on each parameter's own scale)."""
        result: Params = {}
        for name, parameter in self.walk(result):
            result[name] = parameter.draw(rng)
        return result


def split_params(params: Mapping[str, Any], prefix: str) -> Params:
    """The parameters below `prefix.`, without it."""
    start = prefix + "."
    return {name[len(start) :]: value for name, value in params.items() if name.startswith(start)}
