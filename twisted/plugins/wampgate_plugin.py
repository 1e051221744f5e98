"""Makes ``twistd wampgate`` known to Twisted."""

from twisted.application.service import ServiceMaker

wampgate = ServiceMaker(  # type: ignore[no-untyped-call]  # Twisted's
    "wampgate", "wampgate.twistd", "A WAMP router with token authentication.", "wampgate"
)
