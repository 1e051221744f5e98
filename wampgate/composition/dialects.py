"""Makes a bridge's rules of their sections in router.json."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wampgate.bridge.dialects.action_cable import ActionCableRule
from wampgate.bridge.dialects.anycable import AnyCableRule
from wampgate.bridge.dialects.event_shape import EventShape
from wampgate.bridge.dialects.laravel import LaravelRule
from wampgate.bridge.dialects.plain import PlainRule
from wampgate.bridge.dialects.plain_stream import PlainStreamRule
from wampgate.bridge.dialects.python_socketio import PythonSocketIoRule
from wampgate.bridge.dialects.rooms import RoomOptions
from wampgate.bridge.dialects.socketio_adapter import SocketIoAdapterRule
from wampgate.bridge.dialects.socketio_emitter import SocketIoEmitterRule
from wampgate.bridge.dialects.socketio_streams import SocketIoStreamRule
from wampgate.config import dialects

if TYPE_CHECKING:
    from wampgate.bridge.rules import Rule, StreamRule


def bridge_rule_of(rule: dialects.BridgeRule) -> Rule:
    """The dialect's own rule for pub/sub."""
    match rule:
        case dialects.PlainRule():
            return PlainRule(rule.channel, rule.topic, rule.format, sharded=rule.sharded)
        case dialects.SocketIoEmitterRule():
            return SocketIoEmitterRule(rule.key, rule.namespace, rule.room, rule.topic, options=_options(rule))
        case dialects.SocketIoAdapterRule():
            return SocketIoAdapterRule(
                rule.key, rule.namespace, rule.room, rule.topic, sharded=rule.sharded, options=_options(rule)
            )
        case dialects.PythonSocketIoRule():
            return PythonSocketIoRule(rule.channel, rule.namespace, rule.room, rule.topic, options=_options(rule))
        case dialects.LaravelRule():
            shape = EventShape(rule.event, rule.values)
            return LaravelRule(rule.channel, rule.topic, prefix=rule.prefix, options=RoomOptions(shape))
        case dialects.ActionCableRule():
            return ActionCableRule(
                rule.broadcasting,
                rule.topic,
                gid=rule.gid,
                channel_prefix=rule.channel_prefix,
                connection=rule.connection,
                connection_gid=rule.connection_gid,
            )
        case dialects.AnyCableRule():
            return _anycable_rule_of(rule)


def stream_rule_of(rule: dialects.StreamRule) -> StreamRule:
    """The dialect's own rule for streams."""
    match rule:
        case dialects.PlainStreamRule():
            return PlainStreamRule(
                rule.stream,
                rule.topic,
                address=rule.address,
                address_field=rule.address_field,
                payload_field=rule.payload_field,
                format=rule.format,
            )
        case dialects.SocketIoStreamRule():
            return SocketIoStreamRule(rule.stream, rule.namespace, rule.room, rule.topic, options=_options(rule))
        case dialects.AnyCableRule():
            return _anycable_rule_of(rule)


def _anycable_rule_of(rule: dialects.AnyCableRule) -> AnyCableRule:
    return AnyCableRule(
        rule.stream,
        rule.topic,
        gid=rule.gid,
        channel=rule.channel,
        connection=rule.connection,
        connection_gid=rule.connection_gid,
    )


def _options(rule: dialects.RoomRule) -> RoomOptions:
    return RoomOptions(EventShape(rule.event, rule.values), rule.broadcast_topic, rule.disconnects)
