"""The contracts between the core and its adapters: what each may count on."""

from wampgate.core.interfaces.authenticating import (
    Authenticator,
    Challenge,
    Credentials,
    CredentialSource,
    CredentialStore,
    Known,
)
from wampgate.core.interfaces.authorizing import Admission, Authorizer, SessionEnder
from wampgate.core.interfaces.principals import NOT_ACCEPTED, Connection, Issued, Principal, Query, Secured, Ticket
from wampgate.core.interfaces.routing import (
    Deliver,
    InterestWatcher,
    Link,
    Outlet,
    Publisher,
    Record,
    RegistrationObserver,
    SubscriptionObserver,
)
from wampgate.core.interfaces.stores import Change, EndBy, EventsAfter, HistoryStore, Membership, Token, TokenStore

__all__ = [
    "NOT_ACCEPTED",
    "Admission",
    "Authenticator",
    "Authorizer",
    "Challenge",
    "Change",
    "Connection",
    "CredentialSource",
    "CredentialStore",
    "Credentials",
    "Deliver",
    "EndBy",
    "EventsAfter",
    "HistoryStore",
    "InterestWatcher",
    "Issued",
    "Known",
    "Link",
    "Membership",
    "Outlet",
    "Principal",
    "Publisher",
    "Query",
    "Record",
    "RegistrationObserver",
    "Secured",
    "SessionEnder",
    "SubscriptionObserver",
    "Ticket",
    "Token",
    "TokenStore",
]
