"""From a request's body to the WAMP messages that its principal would have sent itself, under the same limits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from wampgate.core.errors import uri
from wampgate.core.trace_context import traced
from wampgate.core.uri import is_uri
from wampgate.http.backend.answers import unserved
from wampgate.http.backend.bodies import BatchBody, CallBody, PublishBody
from wampgate.wire.errors import InvalidMessage
from wampgate.wire.messages import Call, CallOptions, Publish, PublishOptions
from wampgate.wire.payload import NO_PAYLOAD, Payload
from wampgate.wire.serializers import JSON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msgspec import Raw

    from wampgate.core.trace_context import TraceContext
    from wampgate.http.backend.bodies import AnyBody, Publication


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one request may bring.

    Attributes:
        message_bytes: of one publication or call, topic and arguments together.
        batch_publications: in one batch.
    """

    message_bytes: int = 2**20
    batch_publications: int = 100


Prepared = tuple[Publish | Call, Payload]
"""A message and what it carries; its request id is its place, from 1."""


class Decoder:
    """Reads bodies.

    Args:
        bounds: how much they may bring.

    Attributes:
        bounds: see above.
        counters: refused bodies, by the limit that they exceed.
    """

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.counters: Counter[str] = Counter()
        self._decode = {kind: msgspec.json.Decoder(kind).decode for kind in (PublishBody, BatchBody, CallBody)}

    def read(self, kind: type[AnyBody], data: bytes) -> AnyBody:
        """A body of one kind.

        Raises:
            Unserved: it is no JSON (400), or not of this form (422).
        """
        try:
            body: Any = self._decode[kind](data)
        except msgspec.ValidationError as error:
            raise unserved(422, f"the body is not as the documentation says: {error}", uri.INVALID_ARGUMENT) from None
        except msgspec.DecodeError as error:
            raise unserved(400, f"the body is not JSON: {error}") from None
        except UnicodeDecodeError:
            raise unserved(400, "the body is not JSON: it holds text that is not UTF-8") from None
        except RecursionError:
            raise unserved(422, "the body nests too deep", uri.INVALID_ARGUMENT) from None
        return body  # type: ignore[no-any-return]  # the decoder's type

    def messages(self, body: AnyBody, trace: TraceContext | None = None) -> Sequence[Prepared]:
        """The messages that a body stands for, all of them valid, and of a trace if there is one.

        Raises:
            Unserved: one of them is not; nothing was sent then.
        """
        messages = self._messages(body)
        if trace is not None:
            for message, _ in messages:
                traced(message.options, trace)
        return messages

    def _messages(self, body: AnyBody) -> Sequence[Prepared]:
        if isinstance(body, CallBody):
            return [self._call(body)]
        if isinstance(body, PublishBody):
            return [self._publish(body, 1, "")]
        limit = self.bounds.batch_publications
        if len(body.publications) > limit:
            self.counters["limit_batch_publications"] += 1
            raise unserved(
                422,
                f"a batch may hold {limit} publications, not {len(body.publications)}: send several",
                uri.LIMIT_EXCEEDED,
            )
        return [
            self._publish(publication, place, f"publications[{place - 1}]: ")
            for place, publication in enumerate(body.publications, 1)
        ]

    def _publish(self, publication: Publication, request: int, where: str) -> Prepared:
        _check_uri(publication.topic, f"{where}the topic")
        given = publication.options
        options = PublishOptions(
            acknowledge=True,
            disclose_me=given.disclose_me,
            exclude=_ids(given.exclude),
            exclude_authid=given.exclude_authid,
            exclude_authrole=given.exclude_authrole,
            eligible=_ids(given.eligible),
            eligible_authid=given.eligible_authid,
            eligible_authrole=given.eligible_authrole,
        )
        payload = self._payload(publication.topic, publication.args, publication.kwargs, where)
        return Publish(request, options, publication.topic), payload

    def _call(self, body: CallBody) -> Prepared:
        _check_uri(body.procedure, "the procedure")
        options = CallOptions(disclose_me=body.options.disclose_me)
        return Call(1, options, body.procedure), self._payload(body.procedure, body.args, body.kwargs, "")

    def _payload(self, subject: str, args: Raw, kwargs: Raw, where: str) -> Payload:
        """The payload, judged by the very decoder that judges what WAMP clients send."""
        raw_args, raw_kwargs = bytes(args), bytes(kwargs)
        if raw_args[:1] != b"[":
            raise unserved(422, f"{where}args is an array", uri.INVALID_ARGUMENT)
        if raw_kwargs[:1] != b"{":
            raise unserved(422, f"{where}kwargs is an object", uri.INVALID_ARGUMENT)
        size = len(subject) + len(raw_args) + len(raw_kwargs)
        if size > self.bounds.message_bytes:
            self.counters["limit_message_bytes"] += 1
            raise unserved(
                413,
                f"{where}{size} bytes are more than limits.message_bytes ({self.bounds.message_bytes})",
                uri.PAYLOAD_SIZE_EXCEEDED,
            )
        parts = b"" if raw_args == b"[]" and raw_kwargs == b"{}" else b"," + raw_args
        if raw_kwargs != b"{}":
            parts += b"," + raw_kwargs
        try:
            return JSON.decode(_ANY_PUBLISH % parts)[1] if parts else NO_PAYLOAD
        except InvalidMessage as error:
            raise unserved(422, f"{where}{error}", uri.INVALID_ARGUMENT) from None


def _ids(numbers: Sequence[float] | None) -> list[int] | None:
    """Session ids of the numbers that a body has; what is no whole number is nobody's."""
    return None if numbers is None else [int(number) for number in numbers if number == int(number)]


def _check_uri(subject: str, what: str) -> None:
    if not is_uri(subject):
        raise unserved(422, f"{what} is not a URI: {_LOOSE}", uri.INVALID_URI)


_LOOSE: Final = "components are separated by dots, not empty, without whitespace, '#' and control characters"
_ANY_PUBLISH: Final = b'[16,1,{},"x"%b]'
