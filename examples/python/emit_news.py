"""Publishes news for an organization through python-socketio and Redis: emit_news.py ORGANIZATION TEXT

    pip install 'python-socketio>=5.14' redis

Nothing in it knows of wampgate: it is what a backend that speaks to a
python-socketio server does anyway. router.json needs the rule

    {"dialect": "python-socketio",
     "room": "organization.{organization}", "topic": "organization.{organization}"}

and a subscriber of organization.7 receives the args ["news", {"data": TEXT}].

The environment may name another Redis: REDIS_URL.
"""

import os
import sys

import socketio


def main(organization: str, text: str) -> None:
    redis = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379")
    manager = socketio.RedisManager(redis, write_only=True)
    manager.emit("news", {"data": text}, room=f"organization.{organization}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: emit_news.py ORGANIZATION TEXT")
    main(*sys.argv[1:])
