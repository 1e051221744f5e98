"""Which patterns a URI matches: exact, prefix and wildcard ("Pattern-based Subscription", "Matching").

Looking up a URI takes time by the URI's depth and by how many different lengths
of prefixes there are, never by the number of patterns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wampgate.wire.messages import Match

T = TypeVar("T")


class _Node(Generic[T]):
    """One component of the wildcard patterns; the empty component stands for any."""

    __slots__ = ("nodes_by_component", "value")

    def __init__(self) -> None:
        self.nodes_by_component: dict[str, _Node[T]] = {}
        self.value: T | None = None


class PatternMap(Generic[T]):
    """One value for each (URI, match policy), found by any URI that the pattern matches."""

    __slots__ = ("_exact", "_prefixes", "_prefixes_by_length", "_root", "_wildcards")

    def __init__(self) -> None:
        self._exact: dict[str, T] = {}
        self._prefixes: dict[str, T] = {}
        self._prefixes_by_length: dict[int, int] = {}
        self._wildcards: dict[str, T] = {}
        self._root: _Node[T] = _Node()

    def __len__(self) -> int:
        return len(self._exact) + len(self._prefixes) + len(self._wildcards)

    def get(self, uri: str, match: Match) -> T | None:
        """The value that was set for exactly this pattern."""
        return self._values(match).get(uri)

    def set(self, uri: str, match: Match, value: T) -> None:
        """Set a pattern's value."""
        values = self._values(match)
        if match == "prefix" and uri not in values:
            length = len(uri)
            self._prefixes_by_length[length] = self._prefixes_by_length.get(length, 0) + 1
        elif match == "wildcard":
            node = self._root
            for component in uri.split("."):
                node = node.nodes_by_component.setdefault(component, _Node())
            node.value = value
        values[uri] = value

    def remove(self, uri: str, match: Match) -> None:
        """Forget a pattern.

        Raises:
            KeyError: it was not set.
        """
        del self._values(match)[uri]
        if match == "prefix":
            length = len(uri)
            self._prefixes_by_length[length] -= 1
            if not self._prefixes_by_length[length]:
                del self._prefixes_by_length[length]
        elif match == "wildcard":
            self._prune(uri.split("."))

    def matching(self, uri: str) -> list[T]:
        """The values of all patterns that match a URI: exact first, then prefixes, then wildcards."""
        exact = self._exact.get(uri)
        found = [] if exact is None else [exact]
        if self._prefixes:
            prefixes = self._prefixes
            length = len(uri)
            for size in self._prefixes_by_length:
                if size <= length:
                    value = prefixes.get(uri[:size])
                    if value is not None:
                        found.append(value)
        if self._wildcards:
            found.extend(self._matching_wildcards(uri))
        return found

    def values(self) -> Iterator[T]:
        """Every value."""
        yield from self._exact.values()
        yield from self._prefixes.values()
        yield from self._wildcards.values()

    def _values(self, match: Match) -> dict[str, T]:
        if match == "exact":
            return self._exact
        return self._prefixes if match == "prefix" else self._wildcards

    def _matching_wildcards(self, uri: str) -> Iterator[T]:
        nodes = [self._root]
        for component in uri.split("."):
            deeper = []
            for node in nodes:
                children = node.nodes_by_component
                child = children.get(component)
                if child is not None:
                    deeper.append(child)
                child = children.get("")
                if child is not None:
                    deeper.append(child)
            if not deeper:
                return
            nodes = deeper
        for node in nodes:
            if node.value is not None:
                yield node.value

    def _prune(self, components: list[str]) -> None:
        path = [self._root]
        for component in components:
            path.append(path[-1].nodes_by_component[component])
        path[-1].value = None
        for i in range(len(components), 0, -1):
            node = path[i]
            if node.value is not None or node.nodes_by_component:
                return
            del path[i - 1].nodes_by_component[components[i - 1]]


def covers(wide: str, wide_match: Match, narrow: str, narrow_match: Match) -> bool:
    """Whether every URI that ``narrow`` could match is matched by ``wide`` too.

    This is what makes a pattern as restricted as all that it matches: a rule
    allows a subscription only if the rule's pattern covers the subscription's.
    """
    if wide_match == "exact":
        # A wildcard pattern that equals a URI has no empty component: it matches that URI alone.
        return narrow_match != "prefix" and wide == narrow
    if wide_match == "prefix":
        # A wildcard's fixed beginning is all that its matches surely begin with.
        fixed = narrow if narrow_match != "wildcard" else _fixed_beginning(narrow)
        return fixed.startswith(wide)
    if narrow_match == "prefix":
        # A prefix matches URIs of any length, a wildcard those of one length only.
        return False
    wide_components = wide.split(".")
    narrow_components = narrow.split(".")
    return len(wide_components) == len(narrow_components) and all(
        mine in ("", theirs) for mine, theirs in zip(wide_components, narrow_components, strict=True)
    )


def overlaps(one: str, one_match: Match, other: str, other_match: Match) -> bool:
    """Whether some URI could be matched by both patterns."""
    if one_match == "exact":
        return covers(other, other_match, one, "exact")
    if other_match == "exact":
        return covers(one, one_match, other, "exact")
    if one_match == "prefix" and other_match == "prefix":
        return one.startswith(other) or other.startswith(one)
    if one_match == "prefix":
        return _prefix_overlaps_wildcard(one, other)
    if other_match == "prefix":
        return _prefix_overlaps_wildcard(other, one)
    ones, others = one.split("."), other.split(".")
    return len(ones) == len(others) and all(a == b or "" in (a, b) for a, b in zip(ones, others, strict=True))


def _fixed_beginning(wildcard: str) -> str:
    """What every URI that a wildcard pattern matches begins with."""
    components = wildcard.split(".")
    fixed = components.index("") if "" in components else len(components)
    if fixed == len(components):
        return wildcard
    return "".join(component + "." for component in components[:fixed])


def _prefix_overlaps_wildcard(prefix: str, wildcard: str) -> bool:
    heads = prefix.split(".")
    components = wildcard.split(".")
    if len(heads) > len(components):
        return False
    # All of the prefix's components but the last are whole.
    whole = all(mine in ("", head) for head, mine in zip(heads[:-1], components, strict=False))
    last = components[len(heads) - 1]
    return whole and (last == "" or last.startswith(heads[-1]))
