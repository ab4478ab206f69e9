"""A container's name is one that every registry takes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl.export.docker import tag_name

COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")  # of the distribution specification


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("shop", "shop"),
        ("Shop v2.1_b", "shop-v2.1_b"),
        ("Umsatz März", "umsatz-m-rz"),
        ("٣²", "model"),
        ("a._b", "a-b"),
        ("-x-", "x"),
    ],
)
def test_a_tag_keeps_what_it_can_of_a_name(name: str, tag: str) -> None:
    assert tag_name(name) == tag


@given(st.one_of(st.text(max_size=30), st.text("aZ9.-_é ", max_size=30)))
def test_a_tag_is_one_for_any_name(name: str) -> None:
    assert COMPONENT.fullmatch(tag_name(name))
