"""The messages of Publish & Subscribe."""

from typing import Final

from msgspec import Raw

from wampgate.wire.messages.attributes import ABSENT, Attributes, Forwarder, Id, Match, Message, TracedAttributes


class PublishOptions(TracedAttributes):
    """PUBLISH.Options, with publisher exclusion and identification, black- and whitelisting, retention."""

    acknowledge: bool = False
    exclude_me: bool = True
    disclose_me: bool = False
    exclude: list[Id] | None = None
    exclude_authid: list[str] | None = None
    exclude_authrole: list[str] | None = None
    eligible: list[Id] | None = None
    eligible_authid: list[str] | None = None
    eligible_authrole: list[str] | None = None
    retain: bool = False
    transaction_hash: str | None = None


PLAIN_PUBLISH: Final = PublishOptions()
"""The options of a publication that asks for nothing special: to compare with is quicker than to look at each."""


class Publish(Message, tag=16):
    """``[PUBLISH, Request|id, Options|dict, Topic|uri, Arguments|list, ArgumentsKw|dict]``."""

    code = 16
    has_payload = True
    request: Id
    options: PublishOptions
    topic: str
    args: Raw = ABSENT
    kwargs: Raw = ABSENT

    def is_plain(self) -> bool:
        """See :meth:`Message.is_plain`."""
        return False


class Published(Message, tag=17):
    """``[PUBLISHED, PUBLISH.Request|id, Publication|id]``."""

    code = 17
    request: Id
    publication: Id


class SubscribeOptions(Attributes):
    """SUBSCRIBE.Options ("Pattern-based Subscription", "Event Retention")."""

    match: Match = "exact"
    get_retained: bool = False
    forward_for: list[Forwarder] | None = None


class Subscribe(Message, tag=32):
    """``[SUBSCRIBE, Request|id, Options|dict, Topic|uri]``."""

    code = 32
    request: Id
    options: SubscribeOptions
    topic: str

    def is_plain(self) -> bool:
        """See :meth:`Message.is_plain`."""
        return False


class Subscribed(Message, tag=33):
    """``[SUBSCRIBED, SUBSCRIBE.Request|id, Subscription|id]``."""

    code = 33
    request: Id
    subscription: Id


class Unsubscribe(Message, tag=34):
    """``[UNSUBSCRIBE, Request|id, SUBSCRIBED.Subscription|id]``."""

    code = 34
    request: Id
    subscription: Id


class Unsubscribed(Message, tag=35):
    """``[UNSUBSCRIBED, UNSUBSCRIBE.Request|id]``."""

    code = 35
    request: Id


class RevocationDetails(Attributes):
    """UNSUBSCRIBED.Details of a subscription that the router ends ("Subscription Revocation")."""

    subscription: Id
    reason: str


class SubscriptionRevoked(Message, tag=35):
    """``[UNSUBSCRIBED, 0, Details|dict]``: sent by the router, never received."""

    code = 35
    request: int
    details: RevocationDetails

    def is_plain(self) -> bool:
        """See :meth:`Message.is_plain`."""
        return False


class EventDetails(TracedAttributes):
    """EVENT.Details. The router alone writes it: identities in it can be trusted."""

    publisher: Id | None = None
    publisher_authid: str | None = None
    publisher_authrole: str | None = None
    topic: str | None = None
    retained: bool | None = None
    transaction_hash: str | None = None
    x_acknowledged_delivery: bool | None = None


NO_EVENT_DETAILS: Final = EventDetails()


class Event(Message, tag=36):
    """``[EVENT, Subscription|id, Publication|id, Details|dict, Arguments|list, ArgumentsKw|dict]``."""

    code = 36
    has_payload = True
    subscription: Id
    publication: Id
    details: EventDetails
    args: Raw = ABSENT
    kwargs: Raw = ABSENT

    def is_plain(self) -> bool:
        """See :meth:`Message.is_plain`."""
        return self.details is NO_EVENT_DETAILS
