"""Messages that backends put on Redis, republished as WAMP events by rules; and events out to Redis.

    redis_bridge    one Redis, its rules, and the publisher they speak through
    redis_source    reads from it what is wanted
    redis_sender    sends to it what leaves
    redis_link      a connection to it: kept, watched, and made again when lost
    wanted          which channels: all, or those of topics that someone subscribes to
    interruptions   who is told of what may have been lost
    out             what leaves, to which channel, as which bytes
    streams         Redis Streams as a source: every entry at least once, in order, with ids that stay
    rules           what a rule is: subscriptions in, events out
    outcomes        what becomes of what rules make: published, ended, or counted
    templates       ``channel.{organization}``: matching and filling in
    decoding        foreign bytes to plain values, within limits
    dialects/       one rule for each way in which backends speak on Redis

A bridge acts for a principal of its own and may publish on its rules' topics
only: :meth:`wampgate.bridge.redis_bridge.RedisBridge.topics` says which.
"""
