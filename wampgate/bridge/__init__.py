"""Messages that backends put on Redis, republished as WAMP events."""
