"""``wampgate.history.recover(topic, match, after_publication, limit, epoch)``: what a client has missed."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Final, cast

from wampgate.core.errors import RequestRefused, uri
from wampgate.core.procedures import when_decided
from wampgate.core.uri import is_pattern
from wampgate.procedures.reading import MAX_LIMIT, Page, Sight, check_right, page_of, shown_args, shown_details
from wampgate.wire.messages import MAX_ID
from wampgate.wire.payload import Payload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wampgate.core.decisions import Decision
    from wampgate.core.history import History
    from wampgate.core.history_window import Window
    from wampgate.core.interfaces import EventsAfter
    from wampgate.core.procedures import Asked
    from wampgate.core.realm import Realm
    from wampgate.core.stored_events import StoredEvent
    from wampgate.wire.messages import Match

NAME: Final = "wampgate.history.recover"

_KEPT_PAGES: Final = 32
"""So many answers are kept for others who ask the same: after an interruption all come back at once."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a client asks, checked.

    Attributes:
        topic, match: where.
        after: the publication id of the last event that it has.
        limit: how many events it wants at once.
        epoch: without ``after``, the epoch before whose first event it stands.
    """

    topic: str
    match: Match
    after: int | None
    limit: int
    epoch: str | None


class Recover:
    """Gives a client that comes back the events that it has missed, or says that it can't give them all.

    The result's kwargs: ``recovered`` (whether ``events`` and the pages that follow are all that
    came behind the position), ``epoch``, ``events``, ``more`` (whether to ask again, with
    ``position``), ``position`` (a publication id, or None where there is no event). If not
    recovered, the events are the newest ones. See docs/history.md.

    Every call is answered by the caller's right to subscribe as it is now.
    """

    def __init__(self, realm: Realm, history: History) -> None:
        self._realm = realm
        self._history = history
        self._payload_by_question: OrderedDict[tuple[object, ...], tuple[int, Page, Payload]] = OrderedDict()

    def __call__(self, asked: Asked) -> None:
        """Answer a call.

        Raises:
            RequestRefused: its arguments are not of the right number, names or types.
        """
        question = _question_of(asked)
        self._decide(asked, question, partial(self._answer, asked, question))

    def _decide(self, asked: Asked, question: Question, act: Callable[[Sight], None]) -> None:
        """Act with what the caller may see now; whatever it may not, is refused."""

        def decided(decision: Decision) -> None:
            if not asked.caller.established:
                return
            try:
                check_right(asked.caller, decision, question.topic, question.match)
                act(self._sight(asked, question, decision))
            except RequestRefused as refusal:
                asked.refuse(refusal)

        answer = self._realm.authorize(asked.caller, "subscribe", question.topic, question.match)
        when_decided(answer, decided)

    def _sight(self, asked: Asked, question: Question, decision: Decision) -> Sight:
        since = self._realm.topics.visible_since(question.topic, question.match, decision)
        return Sight(asked.caller, since)

    def _answer(self, asked: Asked, question: Question, sight: Sight) -> None:
        window = self._history.window(question.topic, question.match)
        sequence = window.position(question.after, question.epoch)
        source = None
        if sequence is None and question.match == "exact" and question.after is not None:
            source = self._history.source(question.topic)
        if source is not None:
            asked.later(self._ask(asked, question, source))
        elif sequence is None:
            self._newest(asked, question, window, sight)
        else:
            payload = self._behind(question, window, sequence, sight)
            if payload is None:
                self._newest(asked, question, window, sight)
            else:
                asked.result_of(payload)

    def _behind(self, question: Question, window: Window, sequence: int, sight: Sight) -> Payload | None:
        """The page behind a place: the same one for all who would be shown the same; None if it is a part only."""
        same = (question, sequence, window.epoch)
        kept = self._payload_by_question.get(same)
        if kept is not None and sight.since == -inf and (kept[1].more or kept[0] == self._history.sequence):
            return kept[2]
        page = page_of(window.after(sequence), question.limit, sight.sees, hides=sight.hides, begin=question.after)
        if page.hidden:
            return None
        payload = _payload_of(page, window.epoch, recovered=True)
        if page.for_everyone and sight.since == -inf:
            self._payload_by_question[same] = (self._history.sequence, page, payload)
            self._payload_by_question.move_to_end(same)
            if len(self._payload_by_question) > _KEPT_PAGES:
                self._payload_by_question.popitem(last=False)
        return payload

    def _newest(self, asked: Asked, question: Question, window: Window, sight: Sight) -> None:
        """Where the position is not known: the newest events, so that there is something to show."""
        page = page_of(window.backwards(), question.limit, sight.sees)
        last = window.last
        page = Page(page.events[::-1], False, None if last is None else last.publication, False)
        asked.result_of(_payload_of(page, window.epoch, recovered=False))

    async def _ask(self, asked: Asked, question: Question, source: EventsAfter) -> None:
        """Have the source look further back than the memory reaches."""
        assert question.after is not None  # noqa: S101 - only positions that are publications are asked for
        limit = max(1, question.limit)
        events = await source.events_after(question.topic, question.after, limit)
        # The right may have ended meanwhile.
        self._decide(asked, question, partial(self._answer_with, asked, question, events, limit))

    def _answer_with(
        self, asked: Asked, question: Question, events: Sequence[StoredEvent] | None, limit: int, sight: Sight
    ) -> None:
        window = self._history.window(question.topic, question.match)
        behind = () if events is None else events
        page = page_of(behind, question.limit, sight.sees, hides=sight.hides, begin=question.after)
        if events is None or page.hidden:
            self._newest(asked, question, window, sight)
            return
        page = Page(page.events, page.more or len(events) >= limit, page.position, False)
        asked.result_of(_payload_of(page, window.epoch, recovered=True))


def _payload_of(page: Page, epoch: str | None, *, recovered: bool) -> Payload:
    return Payload(
        (),
        {
            "recovered": recovered,
            "epoch": epoch,
            "events": [_shown(event) for event in page.events],
            "more": page.more,
            "position": page.position,
        },
    )


def _shown(event: StoredEvent) -> dict[str, Any]:
    payload = event.payload()
    return {
        "publication": event.publication,
        "topic": event.topic,
        "args": shown_args(payload.args),
        "kwargs": dict(payload.kwargs),
        "timestamp": event.timestamp,
        **shown_details(event),
    }


def _question_of(asked: Asked) -> Question:
    values = asked.arguments("topic", "match", "after_publication", "limit", "epoch")
    topic, match = values.get("topic"), values.get("match")
    match = "exact" if match is None else match
    after, limit, epoch = values.get("after_publication"), values.get("limit"), values.get("epoch")
    limit = MAX_LIMIT if limit is None else limit
    if (
        match not in ("exact", "prefix", "wildcard")
        or not (after is None or (type(after) is int and 1 <= after <= MAX_ID))
        or not (type(limit) is int and limit >= 0)
        or not (epoch is None or isinstance(epoch, str))
    ):
        raise _BAD_ARGUMENTS
    if not isinstance(topic, str) or not is_pattern(topic, cast("Match", match)):
        raise RequestRefused(uri.INVALID_URI, "the topic is none for this match")
    return Question(topic, cast("Match", match), after, min(limit, MAX_LIMIT), epoch)


_BAD_ARGUMENTS: Final = RequestRefused(
    uri.INVALID_ARGUMENT,
    "wampgate.history.recover takes (topic: str, match: exact | prefix | wildcard = exact, "
    "after_publication: id | null = null, limit: int = 1000, epoch: str | null = null)",
)
