"""What the wire refuses: input that is not a WAMP message."""


class InvalidMessage(Exception):
    """A peer sent bytes that are no WAMP message ("Protocol Errors").

    Its text is meant for that peer: it names the element at fault and holds
    nothing of the payload.
    """
