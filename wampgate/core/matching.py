"""Which patterns a URI matches: exact, prefix and wildcard ("Pattern-based Subscription", "Matching").

Looking up a URI takes time by the URI's depth, never by the number of patterns.
Nor do patterns that have nothing to do with a URI slow it down, whoever set them:

- A prefix is kept under its *head*, its whole components with their dots. A URI asks for each of its own
  heads, and of each for the lengths of the prefixes that end within the next component.
- Wildcards are a tree by components, of which a URI walks only what matches it: of the nodes at one depth
  at most two to the power of the components above that some pattern leaves open. A node has a run of
  components for which there is no choice, so a pattern makes two nodes at most, however deep it is.
- What was found for a URI is remembered until a pattern comes or goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wampgate.wire.messages import Match

T = TypeVar("T")

_REMEMBERED: Final = 16_384
"""So many URIs are remembered with the patterns that match them: clients choose both, so all needs a bound."""

_LONG: Final = 128
"""A URI of more characters is not remembered."""

_MANY: Final = 32
"""A URI that more patterns match is not remembered."""


class _Node(Generic[T]):
    """A run of components of wildcard patterns; the empty component stands for any.

    Attributes:
        run: the components, none only at the root.
        nodes_by_component: what may follow them, by its first component.
        value: that of the pattern that ends here; None if none does.
    """

    __slots__ = ("nodes_by_component", "run", "value")

    def __init__(self, run: Sequence[str], value: T | None = None) -> None:
        self.run = tuple(run)
        self.nodes_by_component: dict[str, _Node[T]] = {}
        self.value = value

    def split(self, length: int) -> None:
        """Leave the first components of the run here, the rest in a node of its own below."""
        rest: _Node[T] = _Node(self.run[length:], self.value)
        rest.nodes_by_component = self.nodes_by_component
        self.nodes_by_component = {rest.run[0]: rest}
        self.run, self.value = self.run[:length], None

    def take_in(self) -> None:
        """Take in the one node below, where no pattern ends between the two."""
        if self.value is None and len(self.nodes_by_component) == 1:
            (below,) = self.nodes_by_component.values()
            self.run += below.run
            self.value, self.nodes_by_component = below.value, below.nodes_by_component


class _Wildcards(Generic[T]):
    """The values of wildcard patterns, as a tree."""

    __slots__ = ("root",)

    def __init__(self) -> None:
        self.root: _Node[T] = _Node(())

    def set(self, components: Sequence[str], value: T) -> None:
        """Set a pattern's value."""
        node, at = self.root, 0
        while at < len(components):
            below = node.nodes_by_component.get(components[at])
            if below is None:
                node.nodes_by_component[components[at]] = _Node(components[at:], value)
                return
            common = _common(below.run, components, at)
            if common < len(below.run):
                below.split(common)
            node, at = below, at + common
        node.value = value

    def remove(self, components: Sequence[str]) -> None:
        """Forget a pattern that was set."""
        above, node, at = self.root, self.root, 0
        while at < len(components):
            above, node = node, node.nodes_by_component[components[at]]
            at += len(node.run)
        node.value = None
        if not node.nodes_by_component:
            del above.nodes_by_component[node.run[0]]
            if above is not self.root:
                above.take_in()
        else:
            node.take_in()

    def matching(self, uri: str) -> Iterator[T]:
        """The values of the patterns that match, those with the longer portions before their wildcards first."""
        components = uri.split(".")
        length = len(components)
        # The next one stands last: at each component the fixed one before the wildcard.
        nodes = [(self.root, 0)]
        while nodes:
            node, at = nodes.pop()
            for component in node.run:
                if at == length or component not in ("", components[at]):
                    break
                at += 1
            else:
                if at < length:
                    below = node.nodes_by_component
                    if (any_one := below.get("")) is not None:
                        nodes.append((any_one, at))
                    if (fixed := below.get(components[at])) is not None:
                        nodes.append((fixed, at))
                elif node.value is not None:
                    yield node.value


class PatternMap(Generic[T]):
    """One value for each (URI, match policy), found by any URI that the pattern matches."""

    __slots__ = (
        "_exact",
        "_heads_by_depth",
        "_lengths_by_head",
        "_matched",
        "_prefixes",
        "_wildcard_tree",
        "_wildcards",
    )

    def __init__(self) -> None:
        self._exact: dict[str, T] = {}
        self._prefixes: dict[str, T] = {}
        self._lengths_by_head: dict[str, dict[int, int]] = {}
        self._heads_by_depth: dict[int, int] = {}
        self._wildcards: dict[str, T] = {}
        self._wildcard_tree: _Wildcards[T] = _Wildcards()
        self._matched: dict[str, list[T]] = {}

    def __len__(self) -> int:
        return len(self._exact) + len(self._prefixes) + len(self._wildcards)

    def get(self, uri: str, match: Match) -> T | None:
        """The value that was set for exactly this pattern."""
        return self._values(match).get(uri)

    def set(self, uri: str, match: Match, value: T) -> None:
        """Set a pattern's value."""
        values = self._values(match)
        if match == "prefix" and uri not in values:
            self._note_length(_head(uri), len(uri))
        elif match == "wildcard":
            self._wildcard_tree.set(uri.split("."), value)
        values[uri] = value
        if match != "exact":
            self._matched.clear()

    def remove(self, uri: str, match: Match) -> None:
        """Forget a pattern.

        Raises:
            KeyError: it was not set.
        """
        del self._values(match)[uri]
        if match == "prefix":
            self._forget_length(_head(uri), len(uri))
        elif match == "wildcard":
            self._wildcard_tree.remove(uri.split("."))
        if match != "exact":
            self._matched.clear()

    def matching(self, uri: str) -> list[T]:
        """The values of all patterns that match a URI: exact first, then prefixes, then wildcards."""
        exact = self._exact.get(uri)
        found = [] if exact is None else [exact]
        if self._prefixes or self._wildcards:
            matched = self._matched.get(uri)
            found += self._match(uri) if matched is None else matched
        return found

    def best(self, uri: str) -> T | None:
        """The value of the one pattern by which a URI is called ("Calls matching multiple registrations").

        The exact one; else the longest prefix; else, of the wildcards, that whose
        portions before each wildcard are the longest, from the left.
        """
        value = self._exact.get(uri)
        if value is None and self._prefixes:
            # All are beginnings of one URI: the longest text is the one with the most components too.
            value = self._prefixes.get(max(self._prefixes_of(uri), key=len, default=""))
        if value is None and self._wildcards:
            value = next(self._wildcard_tree.matching(uri), None)
        return value

    def values(self) -> Iterator[T]:
        """Every value."""
        yield from self._exact.values()
        yield from self._prefixes.values()
        yield from self._wildcards.values()

    def _values(self, match: Match) -> dict[str, T]:
        if match == "exact":
            return self._exact
        return self._prefixes if match == "prefix" else self._wildcards

    def _match(self, uri: str) -> list[T]:
        """The values of the patterns that match a URI, looked for and remembered."""
        matched = [self._prefixes[prefix] for prefix in self._prefixes_of(uri)] if self._prefixes else []
        if self._wildcards:
            matched.extend(self._wildcard_tree.matching(uri))
        if len(uri) <= _LONG and len(matched) <= _MANY:
            if len(self._matched) >= _REMEMBERED:
                self._matched.clear()
            self._matched[uri] = matched
        return matched

    def _prefixes_of(self, uri: str) -> list[str]:
        """The prefixes that match a URI."""
        found: list[str] = []
        depths, heads, prefixes = self._heads_by_depth, self._lengths_by_head, self._prefixes
        begin = depth = 0
        while True:
            dot = uri.find(".", begin)
            if depth in depths and (lengths := heads.get(uri[:begin])) is not None:
                # Behind the next dot another head begins.
                end = len(uri) if dot < 0 else dot
                found += [prefix for size in lengths if size <= end and (prefix := uri[:size]) in prefixes]
            if dot < 0:
                return found
            begin = dot + 1
            depth += 1

    def _note_length(self, head: str, length: int) -> None:
        lengths = self._lengths_by_head.get(head)
        if lengths is None:
            lengths = self._lengths_by_head[head] = {}
            _count(self._heads_by_depth, head.count("."), 1)
        _count(lengths, length, 1)

    def _forget_length(self, head: str, length: int) -> None:
        lengths = self._lengths_by_head[head]
        _count(lengths, length, -1)
        if not lengths:
            del self._lengths_by_head[head]
            _count(self._heads_by_depth, head.count("."), -1)


def _head(prefix: str) -> str:
    """The whole components of a prefix, with their dots."""
    return prefix[: prefix.rfind(".") + 1]


def _count(counts: dict[int, int], what: int, more: int) -> None:
    """Count something up or down; what is zero is not there."""
    counts[what] = counts.get(what, 0) + more
    if not counts[what]:
        del counts[what]


def _common(run: Sequence[str], components: Sequence[str], at: int) -> int:
    """How many components of a run are those of a pattern from a place on."""
    both = zip(run, components[at:], strict=False)
    return next(
        (index for index, (mine, theirs) in enumerate(both) if mine != theirs), min(len(run), len(components) - at)
    )


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
        fixed = narrow if narrow_match != "wildcard" else fixed_beginning(narrow)
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


def fixed_beginning(wildcard: str) -> str:
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
