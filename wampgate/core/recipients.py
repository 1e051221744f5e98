"""Which subscribers receive an event ("Publisher Exclusion", "Subscriber Black- and Whitelisting")."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wampgate.core.session import Session
    from wampgate.wire.messages import PublishOptions


def narrowing(options: PublishOptions) -> Callable[[Session], bool] | None:
    """A test for receivers, from the publication's lists; None where there are no lists.

    A receiver must be on every eligible list that is given and on no exclude
    list. An eligible list that is empty lets no one through.
    """
    tests: list[Callable[[Session], bool]] = []
    if options.eligible is not None:
        eligible = frozenset(options.eligible)
        tests.append(lambda session: session.id in eligible)
    if options.eligible_authid is not None:
        eligible_authid = frozenset(options.eligible_authid)
        tests.append(lambda session: session.principal.authid in eligible_authid)
    if options.eligible_authrole is not None:
        eligible_authrole = frozenset(options.eligible_authrole)
        tests.append(lambda session: session.principal.authrole in eligible_authrole)
    if options.exclude:
        excluded = frozenset(options.exclude)
        tests.append(lambda session: session.id not in excluded)
    if options.exclude_authid:
        excluded_authid = frozenset(options.exclude_authid)
        tests.append(lambda session: session.principal.authid not in excluded_authid)
    if options.exclude_authrole:
        excluded_authrole = frozenset(options.exclude_authrole)
        tests.append(lambda session: session.principal.authrole not in excluded_authrole)
    if not tests:
        return None
    return lambda session: all(test(session) for test in tests)


def recipients_of(
    subscribers: Sequence[Session], publisher: Session | None, test: Callable[[Session], bool] | None
) -> Sequence[Session]:
    """The subscribers that receive an event.

    Args:
        subscribers: those of one subscription; returned as it is if all receive it,
            so that an event for all costs no copy.
        publisher: who is left out, if it is among them.
        test: from :func:`narrowing`.
    """
    if test is not None:
        return [session for session in subscribers if session is not publisher and test(session)]
    if publisher is not None:
        return [session for session in subscribers if session is not publisher]
    return subscribers
