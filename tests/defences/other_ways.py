"""The defences of docs/security.md for the ways beside WebSockets: backends' HTTP, and history."""

from __future__ import annotations

from typing import Final

from .mutation import Edit, Mutation, without

BACKEND: Final = "HTTP for backends where the public can reach it"
GUESSES: Final = "guesses over HTTP, also on one connection of a proxy"
BODIES: Final = "large, endless and slow HTTP bodies, answers that are not read"
KEYS: Final = "another's idempotency key, very many keys"
HISTORY: Final = "history and subscription ids as a way round"

MUTATIONS: Final = (
    without(
        BACKEND,
        "listeners that serve it",
        "config/listen.py",
        '] = ("wamp", "page")\n',
        '] = ("wamp", "page", "backend")\n',
        "test_backend_connections.py::test_the_routes_are_only_where_they_are_served",
    ),
    Mutation(
        BACKEND,
        "the header for the token",
        (
            Edit(
                "http/backend/web.py",
                '    if not authorization or authorization[0].strip()[:7].lower() != b"bearer ":\n',
                '    if not authorization and not headers.getRawHeaders(b"Cookie"):\n',
            ),
            Edit(
                "http/backend/web.py",
                'bearer=self._bearer_of({"authorization": _first(headers, b"Authorization")}),',
                'bearer=self._bearer_of({"authorization": _first(headers, b"Authorization")})\n'
                "            or self._bearer_of("
                '{"authorization": "Bearer " + _first(headers, b"Cookie")[6:].partition(";")[0]}),',
            ),
        ),
        ("test_backend_connections.py::test_a_cookie_is_nothing_to_go_by",),
    ),
    without(
        GUESSES,
        "counting them",
        "http/backend/entrance.py",
        "                self._guesses.failed(session.connection.network)\n",
        "                pass\n",
        "test_backend_entrance.py::test_guesses_count_with_those_of_logins_and_successes_do_not",
    ),
    without(
        GUESSES,
        "telling a proxy's clients apart on one connection",
        "transports/sniffer.py",
        "        if self._counted is not None and self.factory.proxies.trusts(self._origin.host):\n",
        "        if False:\n",
        "test_backend_connections.py::test_behind_a_proxy_each_request_counts_as_its_own_clients",
    ),
    without(
        BODIES,
        "the bound on a body",
        "http/backend/web.py",
        "        if size > self.body_bytes:\n",
        "        if False:\n",
        "test_backend_connections.py::test_what_is_refused_by_its_head_is_refused_before_its_body",
    ),
    without(
        BODIES,
        "the bound on all bodies",
        "http/backend/web.py",
        "        if self._taken + more > self._total:\n",
        "        if False:\n",
        "test_backend_web.py::test_all_bodies_together_are_bounded",
    ),
    without(
        KEYS,
        "owners",
        "http/backend/idempotency.py",
        "        digest = sha256(body).digest()\n        kept = self._kept.get(claim)\n",
        "        digest = sha256(body).digest()\n"
        "        kept = next((one for other, one in self._kept.items() if other.key == claim.key), None)\n",
        "test_backend_idempotency.py::test_keys_are_of_one_principal_in_one_realm_on_one_route",
    ),
    without(
        KEYS,
        "shares",
        "http/backend/idempotency.py",
        "SHARES: Final = 8\n",
        "SHARES: Final = 1\n",
        "test_backend_idempotency.py::test_nobody_takes_more_than_a_share_and_all_no_more_than_there_is",
    ),
    without(
        "a token that ends while its HTTP request is served",
        "the deadline of its session",
        "http/backend/visit.py",
        "            self._router.expire(session, principal.expires)\n",
        "            pass\n",
        "test_backend_calling.py::test_a_token_that_expires_ends_the_call",
    ),
    without(
        "a token that ends while its HTTP request is served",
        "heeding GOODBYE",
        "http/backend/exchange.py",
        "        if isinstance(message, Goodbye):\n",
        "        if False:\n",
        "test_backend_calling.py::test_a_token_that_is_revoked_ends_the_call",
    ),
    without(
        HISTORY,
        "asking for the right",
        "procedures/reading.py",
        "    if not decision.allowed:\n",
        "    if False:\n",
        "test_recover.py::test_rights",
        "test_recover.py::test_a_membership_that_ended_ends_it_at_once",
    ),
    without(
        HISTORY,
        "the publisher's lists",
        "procedures/reading.py",
        "        return event.at >= self.since and event.is_for(self.session)",
        "        return event.at >= self.since",
        "test_recover.py::test_the_publishers_lists_hold",
    ),
    without(
        HISTORY,
        "silence about ids that are guessed",
        "procedures/get_events.py",
        "            raise _NONE from None\n",
        "            raise\n",
        "test_get_events.py::test_a_guessed_id_opens_nothing_and_tells_nothing",
    ),
)
