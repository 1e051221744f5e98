"""Mutations of what guards session cookies, and the credentials that stand in a store."""

from __future__ import annotations

from typing import Final

from .mutation import Edit, Mutation, without

AMBIENT: Final = "a session cookie that comes along by itself: cross-site WebSockets, pages on another port of its host"
FIXED: Final = "a session cookie that was planted before the login"
DUMPED: Final = "session cookies in a dump of the table, or in the hands of whoever may write into it"
STOLEN: Final = "a stolen session cookie"
OPEN: Final = "session cookies over connections that others can read"
GUESSED: Final = "guessed session cookies, and logins that fill the memory or the store"
CHANGED: Final = "credentials in the store that end, or become others, while sessions live that joined by them"
GARBAGE: Final = "rows of credentials that are garbage, or would give away what is the router's own"

MUTATIONS: Final[tuple[Mutation, ...]] = (
    without(
        AMBIENT,
        "telling pages that came in clear from those that came over TLS",
        "http/login/web.py",
        '_first(headers, b"Host"), _is_secure(request)):',
        '_first(headers, b"Host"), False):',
        "test_cookies.py::test_a_page_that_came_unencrypted_is_no_page_of_ours_over_tls",
    ),
    without(
        AMBIENT,
        "asking for an origin",
        "transports/credentials.py",
        '    if not headers.get("origin"):\n        return None\n',
        "",
        "test_cookies.py::test_a_stolen_or_ambient_cookie_without_an_allowed_origin_opens_nothing",
    ),
    without(
        AMBIENT,
        "looking whose page logs in or out",
        "http/login/web.py",
        '        if origin and not self._accepts_origin(origin, _first(headers, b"Host"), _is_secure(request)):\n',
        "        if False:\n",
        "test_cookies.py::test_nobody_is_logged_out_from_elsewhere",
        "test_cookies.py::test_pages_of_listed_origins_may_read_the_answer_and_no_others",
    ),
    without(
        FIXED,
        "a new login for another user",
        "authentication/cookie.py",
        " if kept is None or kept.authid != authid else kept.login",
        " if kept is None else kept.login",
        "test_cookie.py::test_a_planted_cookie_never_becomes_someone_elses_login",
        "test_cookies.py::test_a_planted_cookie_of_the_attackers_does_not_follow_the_victim",
    ),
    without(
        FIXED,
        "a new cookie for each login",
        "authentication/cookie.py",
        "        cookie = Ticket(secrets.token_urlsafe(_BYTES))\n",
        "        cookie = instead_of or Ticket(secrets.token_urlsafe(_BYTES))\n",
        "test_cookie.py::test_a_cookie_that_was_there_before_the_login_stays_nobodys",
        "test_cookies.py::test_a_cookie_that_was_planted_before_the_login_stays_nobodys",
        "test_cookies.py::test_each_login_makes_a_new_one_and_the_one_before_is_nothing_any_more",
    ),
    Mutation(
        DUMPED,
        "encrypting the token",
        (
            Edit(
                "authentication/cookie.py",
                "self._cipher(cookie).encrypt(nonce, token.encode(), self._purpose)",
                "token.encode()",
            ),
            Edit(
                "authentication/cookie.py",
                "self._cipher(cookie).decrypt(data[:_NONCE], data[_NONCE:], self._purpose).decode()",
                "data[_NONCE:].decode()",
            ),
        ),
        (
            "test_kept_cookies.py::test_a_dump_of_the_table_gives_neither_a_cookie_nor_a_token",
            "test_kept_cookies.py::test_a_row_that_was_tampered_with_opens_nothing",
            "test_cookie.py::test_only_the_cookie_opens_what_it_sealed",
        ),
    ),
    without(
        DUMPED,
        "hashing the cookie",
        "authentication/cookie.py",
        'hashlib.sha256(self._purpose + b"\\0" + value).hexdigest()',
        "cookie.reveal()",
        "test_kept_cookies.py::test_a_dump_of_the_table_gives_neither_a_cookie_nor_a_token",
        "test_cookie.py::test_a_cookie_is_found_by_a_hash_of_its_realm",
    ),
    without(
        STOLEN,
        "ending the sessions of a login",
        "authentication/cookie.py",
        '        self._kills.end("login", kept.login, uri.TOKEN_REVOKED, LOGGED_OUT)\n',
        "",
        "test_cookie.py::test_a_login_ends_with_its_sessions_and_no_others",
        "test_cookies.py::test_logging_out_ends_the_cookie_and_the_sessions_that_joined_by_it",
    ),
    without(
        STOLEN,
        "looking whether a login has ended elsewhere",
        "authorization/standing.py",
        "        if who.login in said.ended:\n",
        "        if False:\n",
        "test_cookie.py::test_a_logout_at_another_node_ends_them_at_the_next_hint",
        "test_kept_cookies.py::test_all_nodes_know_it_and_all_end_it",
    ),
    without(
        STOLEN,
        "the token's end",
        "authentication/cookie.py",
        "            seconds = min(seconds, principal.expires - self._now())\n",
        "            pass\n",
        "test_cookie.py::test_cookies_are_random_and_good_no_longer_than_the_token",
    ),
    without(
        OPEN,
        "looking at the connection that a session comes by",
        "authentication/cookie.py",
        "        if not is_private(connection):\n",
        "        if False:\n",
        "test_cookie.py::test_over_an_open_connection_it_is_not_taken",
        "test_cookies.py::test_a_trusted_proxy_is_believed_that_it_ends_tls",
    ),
    without(
        OPEN,
        "looking at the connection that a login comes by",
        "http/login/web.py",
        "            return write(request, _INSECURE)\n",
        "            pass\n",
        "test_cookies.py::test_over_an_open_connection_none_is_made",
        "test_cookies.py::test_a_trusted_proxy_is_believed_that_it_ends_tls",
    ),
    without(
        GUESSED,
        "counting those that are shown to be ended",
        "http/login/exchange.py",
        "            self._guesses.failed(network)\n",
        "            pass\n",
        "test_cookies.py::test_guesses_count_with_those_of_logins",
    ),
    without(
        GUESSED,
        "a pace of logins",
        "http/login/exchange.py",
        "            elif self._is_too_often(realm, outcome):\n",
        "            elif False:\n",
        "test_cookies.py::test_who_logs_in_again_and_again_is_told_to_wait",
    ),
    without(
        GUESSED,
        "a number of cookies for each authid",
        "stores/cookies_memory.py",
        "        while len(theirs) >= self._per_authid:\n",
        "        while False:\n",
        "test_cookies.py::test_one_authid_has_no_more_than_it_may",
        "test_cookie_stores.py::test_nobody_has_more_than_he_may",
    ),
    without(
        CHANGED,
        "looking what the row says by now",
        "authorization/standing.py",
        "        if credentials is None or credentials.known != session.principal.known:\n",
        "        if credentials is None:\n",
        "test_standing_credentials.py::test_a_row_that_changes_ends_them_too",
        "test_stored_credentials.py::test_what_becomes_of_the_row_becomes_of_its_sessions_within_a_second",
    ),
    without(
        CHANGED,
        "asking for those who are no users",
        "authorization/standing.py",
        "        yield from self._sessions_by_authid.get(name, ())\n",
        "",
        "test_standing_credentials.py::test_a_row_that_goes_ends_its_sessions_and_no_others",
    ),
    without(
        GARBAGE,
        "looking at names and roles",
        "stores/credential_rows.py",
        "            self._check()\n",
        "",
        "test_credentials.py::test_a_row_gives_nobody_the_routers_own_roles",
        "test_credentials.py::test_nor_its_names",
    ),
    without(
        GARBAGE,
        "looking whether it can be used",
        "stores/credential_rows.py",
        "            form.check()\n",
        "            pass\n",
        "test_credentials.py::test_garbage_opens_nothing_and_is_told_once",
    ),
)
