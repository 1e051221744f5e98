"""Matching, measured by a naive oracle: every pattern asked one by one, and every URI of a small world."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wampgate.core.matching import PatternMap, covers, overlaps

if TYPE_CHECKING:
    from wampgate.wire.messages import Match


def matches(pattern: str, match: Match, uri: str) -> bool:
    """Whether a pattern matches a URI, word for word as the specification says."""
    if match == "exact":
        return pattern == uri
    if match == "prefix":
        return uri.startswith(pattern)
    mine, theirs = pattern.split("."), uri.split(".")
    return len(mine) == len(theirs) and all(a in ("", b) for a, b in zip(mine, theirs, strict=True))


# Two letters suffice: what differs can differ by either. Components of two
# letters make one URI the beginning of another without a dot between them, and
# four components leave room behind the longest pattern of three.
COMPONENTS: Final = ("a", "b", "aa", "ab")
WORLD: Final = [".".join(parts) for length in range(1, 5) for parts in itertools.product(COMPONENTS, repeat=length)]

components = st.sampled_from(("a", "b", "ab"))
uris = st.lists(components, min_size=1, max_size=3).map(".".join)
wildcards = st.lists(st.sampled_from(("", "", "a", "b", "ab")), min_size=1, max_size=3).map(".".join)
prefixes = st.one_of(st.just(""), uris, uris.map(lambda uri: uri + "."))
patterns: st.SearchStrategy[tuple[str, Any]] = st.one_of(
    st.tuples(uris, st.just("exact")),
    st.tuples(prefixes, st.just("prefix")),
    st.tuples(wildcards, st.just("wildcard")),
)


@given(changes=st.lists(st.tuples(st.booleans(), patterns), max_size=40), asked=st.lists(uris, min_size=1, max_size=8))
def test_a_pattern_map_finds_what_asking_each_pattern_finds(
    changes: list[tuple[bool, tuple[str, Match]]], asked: list[str]
) -> None:
    found: PatternMap[str] = PatternMap()
    naive: dict[tuple[str, Match], str] = {}
    for add, (pattern, match) in changes:
        if add:
            found.set(pattern, match, f"{match} {pattern}")
            naive[pattern, match] = f"{match} {pattern}"
        elif (pattern, match) in naive:
            found.remove(pattern, match)
            del naive[pattern, match]
        else:
            with pytest.raises(KeyError):
                found.remove(pattern, match)
        assert len(found) == len(naive)
        assert sorted(found.values()) == sorted(naive.values())
    for uri in asked:
        expected = {value for (pattern, match), value in naive.items() if matches(pattern, match, uri)}
        values = found.matching(uri)
        assert sorted(values) == sorted(expected)
        order = [("exact", "prefix", "wildcard").index(value.split(" ")[0]) for value in values]
        assert order == sorted(order)
    for (pattern, match), value in naive.items():
        assert found.get(pattern, match) == value


@given(changes=st.lists(patterns, max_size=20, unique=True))
def test_a_pattern_map_that_was_emptied_holds_nothing(changes: list[tuple[str, Match]]) -> None:
    found: PatternMap[int] = PatternMap()
    for pattern, match in changes:
        found.set(pattern, match, 1)
    for pattern, match in reversed(changes):
        found.remove(pattern, match)
    assert len(found) == 0
    assert found._prefixes_by_length == {}
    assert found._root.nodes_by_component == {}
    assert found._root.value is None


@given(wide=patterns, narrow=patterns)
def test_covers_means_every_uri(wide: tuple[str, Match], narrow: tuple[str, Match]) -> None:
    everything = all(matches(*wide, uri) for uri in WORLD if matches(*narrow, uri))
    assert covers(*wide, *narrow) == everything


@given(one=patterns, other=patterns)
def test_overlaps_means_some_uri(one: tuple[str, Match], other: tuple[str, Match]) -> None:
    something = any(matches(*one, uri) and matches(*other, uri) for uri in WORLD)
    assert overlaps(*one, *other) == something
    assert overlaps(*other, *one) == something


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        (("organization.7", "exact"), ("organization.7", "prefix"), False),
        (("organization.7", "exact"), ("organization.7", "wildcard"), True),
        (("organization.7.", "prefix"), ("organization.7", "prefix"), False),
        (("organization.7.", "prefix"), ("organization.7.", "prefix"), True),
        (("organization.7.", "prefix"), ("organization.7.news", "exact"), True),
        (("organization.7.", "prefix"), ("organization.70.news", "exact"), False),
        (("organization.7", "prefix"), ("organization.70", "exact"), True),
        (("organization.7.", "prefix"), ("organization.7..x", "wildcard"), True),
        (("organization.7.", "prefix"), ("organization..x", "wildcard"), False),
        (("organization..x", "wildcard"), ("organization.7.x", "exact"), True),
        (("organization..x", "wildcard"), ("organization.", "prefix"), False),
        (("", "prefix"), ("", "wildcard"), True),
        (("", "wildcard"), ("", "prefix"), False),
    ],
)
def test_the_cases_that_matter_most(wide: tuple[str, Match], narrow: tuple[str, Match], expected: bool) -> None:
    assert covers(*wide, *narrow) is expected


class Counted(dict[str, Any]):
    """A dictionary that counts how often it is asked."""

    asked = 0

    def get(self, *arguments: Any) -> Any:
        """See :meth:`dict.get`."""
        Counted.asked += 1
        return super().get(*arguments)


def _count(found: PatternMap[int]) -> None:
    found._exact = Counted(found._exact)
    found._prefixes = Counted(found._prefixes)
    nodes = [found._root]
    while nodes:
        node = nodes.pop()
        node.nodes_by_component = Counted(node.nodes_by_component)
        nodes.extend(node.nodes_by_component.values())


def _lookups(found: PatternMap[int], uri: str) -> int:
    _count(found)
    Counted.asked = 0
    found.matching(uri)
    return Counted.asked


def test_a_look_up_does_not_grow_with_the_number_of_patterns() -> None:
    def map_of(number: int) -> PatternMap[int]:
        found: PatternMap[int] = PatternMap()
        for i in range(number):
            found.set(f"organization.{i:06}", "exact", i)
            found.set(f"organization.{i:06}.", "prefix", i)
            found.set(f"organization.{i:06}..news", "wildcard", i)
        return found

    few, many = map_of(10), map_of(10_000)
    for uri in ("organization.000005", "organization.000005.blog.news", "nowhere.at.all.news"):
        assert _lookups(few, uri) == _lookups(many, uri)


def test_a_look_up_grows_with_the_depth_of_the_uri() -> None:
    found: PatternMap[int] = PatternMap()
    found.set("." * 40, "wildcard", 1)
    found.set("a.", "prefix", 1)
    shallow = _lookups(found, ".".join(["a"] * 10))
    deep = _lookups(found, ".".join(["a"] * 40))
    assert deep <= 4 * shallow
    assert deep < 100
