"""What the meta API's procedures have in common: ids that they are asked for, and lists of ids that they answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wampgate.core.errors import RequestRefused, uri

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wampgate.core.procedures import Asked
    from wampgate.wire.messages import Match

MAX_IDS: Final = 30_000
"""So many ids go into one answer: more would not fit into what may wait for one session's socket."""

_TOO_MANY: Final = RequestRefused(
    uri.LIMIT_EXCEEDED, f"these are more than {MAX_IDS} ids, too many for one answer: ask for fewer, or count them"
)


def checked_id(values: Mapping[str, Any], name: str) -> int:
    """The id among a call's arguments; one that nothing has is none of the router's business here.

    Raises:
        RequestRefused: it is no integer.
    """
    number = values.get(name)
    if type(number) is not int:
        raise RequestRefused(uri.INVALID_ARGUMENT, f"the first argument is the id of a {name}")
    return number


def checked_text(values: Mapping[str, Any], name: str) -> str:
    """The URI or pattern among a call's arguments.

    Raises:
        RequestRefused: it is no text.
    """
    text = values.get(name)
    if not isinstance(text, str):
        raise RequestRefused(uri.INVALID_ARGUMENT, f"the first argument is a {name}, as text")
    return text


def match_of(values: Mapping[str, Any]) -> Match:
    """The match policy among ``options``, which are those of SUBSCRIBE or REGISTER.

    Raises:
        RequestRefused: they are no options.
    """
    options = values.get("options")
    match: Any = "exact" if options is None else options.get("match", "exact") if isinstance(options, dict) else None
    if match not in ("exact", "prefix", "wildcard"):
        raise RequestRefused(
            uri.INVALID_ARGUMENT, 'options is a dictionary; its match is "exact", "prefix" or "wildcard"'
        )
    return match  # type: ignore[no-any-return]  # it is one of the three


def ids_answer(asked: Asked, ids: Sequence[int]) -> None:
    """Answer with a list of ids."""
    if len(ids) > MAX_IDS:
        asked.refuse(_TOO_MANY)
    else:
        asked.result(ids)


def ids_by_match_answer(asked: Asked, matches_by_id: Iterable[tuple[int, Match]]) -> None:
    """Answer with a list of ids for each match policy."""
    lists: dict[str, list[int]] = {"exact": [], "prefix": [], "wildcard": []}
    for number, match in matches_by_id:
        lists[match].append(number)
    if sum(map(len, lists.values())) > MAX_IDS:
        asked.refuse(_TOO_MANY)
    else:
        asked.result(lists)
