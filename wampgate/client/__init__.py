"""Clients that stay connected, over stock Autobahn: ``wampgate.client.asyncio`` and ``wampgate.client.twisted``.

Import one of the two; both have ``connect`` and give the same :class:`~wampgate.client.session.Session`.
Nothing of the router is imported.
"""

from wampgate.client.losses import Gap, Lost
from wampgate.client.place import Event, Position
from wampgate.client.plan import State
from wampgate.client.subscription import Subscription

__all__ = ["Event", "Gap", "Lost", "Position", "State", "Subscription"]
