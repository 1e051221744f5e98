"""Messages that backends put on Redis, republished as WAMP events by rules.

    redis_bridge    one Redis, its rules, and the publisher they speak through
    redis_source    the connection to it: kept, watched, and made again when lost
    rules           what a rule is: subscriptions in, events out
    templates       ``channel.{organization}``: matching and filling in
    decoding        foreign bytes to plain values, within limits
    dialects/       one rule for each way in which backends speak on Redis

A bridge acts for a principal of its own and may publish on its rules' topics
only: :meth:`wampgate.bridge.redis_bridge.RedisBridge.topics` says which.
"""
