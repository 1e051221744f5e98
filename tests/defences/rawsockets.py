"""The defences of RawSocket and of the listeners' TLS, each taken out."""

from __future__ import annotations

from typing import Final

from .before_joining import HUGE, MANY, SLOW
from .mutation import without

RAWSOCKET: Final = "transports/rawsocket.py"
TOO_LONG: Final = "messages that are longer than a RawSocket client takes"
AT_THE_END: Final = "a RawSocket client that keeps its end of a closed connection open"

MUTATIONS: Final = (
    without(
        HUGE,
        "the bound on a RawSocket message",
        RAWSOCKET,
        "        if length > bound:\n",
        "        if False:\n",
        "test_rawsocket.py::test_what_is_no_frame_ends_the_session",
    ),
    without(
        SLOW,
        "the wait for a whole handshake",
        "transports/sniffer.py",
        "        if len(self._buffer) < HANDSHAKE_SIZE:\n            return\n",
        "        if len(self._buffer) < HANDSHAKE_SIZE:\n"
        "            self.factory.deadlines.cancel(self._deadline)\n"
        "            return\n",
        "test_rawsocket_limits.py::test_a_handshake_that_does_not_come_is_not_waited_for",
    ),
    without(
        MANY,
        "the bound on those who wait to be told that there is no place",
        "transports/places.py",
        "        if self._turned_away >= _TURNED_AWAY:\n",
        "        if False:\n",
        "test_places.py::test_for_being_told_that_there_is_none",
    ),
    without(
        TOO_LONG,
        "measuring what is sent",
        "transports/too_long.py",
        "        if len(data) > self._longest:\n            parts = ",
        "        if False:\n            parts = ",
        "test_rawsocket_lengths.py::test_an_event_is_left_out_and_told_and_all_others_come_in_order",
        "test_rawsocket_lengths.py::test_an_invocation_is_answered_in_the_callees_stead",
    ),
    without(
        TOO_LONG,
        "telling those who do not listen for gaps",
        "transports/too_long.py",
        "                self._router.goodbye(session, EVENT_TOO_LONG.reason, message)\n",
        "",
        "test_rawsocket_lengths.py::test_who_does_not_listen_for_gaps_is_sent_away_with_the_reason",
    ),
    without(
        AT_THE_END,
        "the deadline for it",
        RAWSOCKET,
        "self._deadline = self.factory.deadlines.after(_CLOSE_SECONDS, transport.abortConnection)",
        "self._deadline = self.factory.deadlines.after(86400, transport.abortConnection)",
        "test_rawsocket_limits.py::test_a_client_that_keeps_its_end_open_is_not_waited_for_long",
        "test_rawsocket_secured.py::test_who_does_not_answer_the_end_of_tls_is_not_waited_for",
    ),
    without(
        "half-open connections",
        "the operating system's probes, where a client knows no pings",
        RAWSOCKET,
        "            _keep_alive(transport, factory.ping_seconds)\n",
        "            pass\n",
        "test_rawsocket_limits.py::test_a_peer_whose_packets_vanish_is_dropped_all_the_same",
    ),
    without(
        "TLS older than 1.2",
        "the floor",
        "composition/endpoints.py",
        "        context.set_min_proto_version(SSL.TLS1_2_VERSION)\n",
        "",
        "test_rawsocket_secured.py::test_no_version_before_tls_1_2_is_spoken_whatever_the_system_would",
    ),
    without(
        "TLS older than 1.2",
        "refusing an endpoint that asks for it",
        "composition/endpoints.py",
        "    if method is not None:\n",
        "    if False:\n",
        "test_rawsocket_secured.py::test_an_endpoint_that_asks_for_an_old_version_is_refused",
    ),
)
