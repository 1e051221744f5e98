"""The defences of docs/security.md's table "After", each taken out."""

from __future__ import annotations

from typing import Final

from .mutation import Edit, Mutation, without

REALM: Final = "core/realm.py"
ROUTER: Final = "core/router.py"
STANDING: Final = "authorization/standing.py"
ORGANIZATION: Final = "authorization/organization.py"
WEBSOCKET: Final = "transports/websocket.py"
OUTBOX: Final = "transports/outbox.py"
DEFLATE: Final = "transports/deflate.py"

PATTERNS: Final = "patterns that reach further than rights"
ANOTHERS: Final = "one user's answer given to another"
PUBLISHING: Final = "publishing to organizations, registering `wamp.*` and `wampgate.*`, by pattern too"
LENGTHS: Final = "secrets guessed from the lengths of compressed messages (CRIME, BREACH)"
ADAPTER: Final = "a weak caller through a strong adapter"
FORGED: Final = "forged publisher, caller, authid, authrole, forward_for"
ROOMS: Final = "forged rooms and channels on Redis"
POISON: Final = "poison in Redis (Reverb CVE-2026-23524)"
ENDED: Final = "token revoked or expired, membership removed"
BEFORE: Final = "answers from before a change"
READER: Final = "slow reader"
FLOODS: Final = "floods of SUBSCRIBE, REGISTER, PUBLISH, CALL"
GOODBYE: Final = "after GOODBYE"
EARLY: Final = "calls in several messages that fill the memory, or break the protocol, while they wait for a decision"
CALLEE: Final = "callee dies, caller leaves, answers race"
SECRETS: Final = "secrets in `router.json`"
HALF_OPEN: Final = "half-open connections"
CLOCK: Final = "clock jump"
AGAIN: Final = "an outage ends sessions for good"

MUTATIONS: Final = (
    without(
        PATTERNS,
        "rules that have to cover all of a pattern",
        "authorization/rules.py",
        "covering = [rule for rule in applying if rule.covers(uri, match)]",
        'covering = [rule for rule in applying if rule.covers(uri, "exact")]',
        "test_rules.py::test_a_pattern_is_allowed_only_if_all_it_could_match_is",
    ),
    without(
        PATTERNS,
        "rules that deny a part",
        "authorization/rules.py",
        "            if not rule.allow and not rule.covers(uri, match) and overlaps(rule.uri, rule.match, uri, match):",
        "            if False:",
        "test_rules.py::test_a_pattern_is_allowed_only_if_all_it_could_match_is",
    ),
    without(
        PATTERNS,
        "organizations' topics that have to cover all of a pattern",
        "authorization/templates.py",
        "asked = Asked.of(subject, match)",
        'asked = Asked.of(subject.rstrip("."), "exact")',
        "test_organizations.py::test_tricks",
    ),
    without(
        PATTERNS,
        "asking for the membership",
        ORGANIZATION,
        "        if role is None:\n",
        "        if False:\n",
        "test_organizations.py::test_what_is_delivered_is_what_the_memberships_allow",
    ),
    without(
        ANOTHERS,
        "memberships by user",
        "authorization/memberships.py",
        "        organizations = self._organizations_by_user.get(user)\n        if organizations is None or",
        "        organizations = next(iter(self._organizations_by_user.values()), None)\n"
        "        if organizations is None or",
        "test_memberships.py::test_users_do_not_share_answers",
    ),
    Mutation(
        ANOTHERS,
        "decisions by role",
        (
            Edit(ORGANIZATION, "            found = self._found[key]\n", "            found = self._found[key[1:]]\n"),
            Edit(ORGANIZATION, "found = self._found[key] = self", "found = self._found[key[1:]] = self"),
        ),
        ("test_organization.py::test_kept_decisions_are_bounded_and_never_another_s",),
    ),
    without(
        PUBLISHING,
        "reserved names",
        REALM,
        "            if is_reserved(subject, match):\n",
        "            if False:\n",
        "test_calling.py::test_nor_by_a_pattern_that_could_match",
    ),
    without(
        PUBLISHING,
        "what members may not do",
        "authorization/templates.py",
        "mine = [template for template in self._templates if action in template.actions]",
        "mine = list(self._templates)",
        "test_demo.py::test_members_publish_nowhere",
    ),
    without(
        LENGTHS,
        "compressing each message by itself",
        DEFLATE,
        "        compressor = zlib.compressobj(self._compression.level, zlib.DEFLATED, -self.window)\n",
        "        compressor = vars(zlib).setdefault(\n"
        '            f"kept_{self.window}", zlib.compressobj(self._compression.level, zlib.DEFLATED, -self.window)\n'
        "        )\n",
        "test_deflate.py::test_no_message_is_compressed_with_the_help_of_another",
    ),
    without(
        LENGTHS,
        "leaving a login's messages as they are",
        DEFLATE,
        " or type(message) in _OF_A_LOGIN:\n",
        ":\n",
        "test_deflate.py::test_what_belongs_to_a_login_is_never_compressed",
        "test_compression.py::test_what_belongs_to_a_login_is_not_compressed",
    ),
    without(
        "clients that each ask for a window of their own, so that each message is compressed for each",
        "the three windows",
        DEFLATE,
        "_SMALLER_WINDOWS: Final = (12, 9)\n",
        "_SMALLER_WINDOWS: Final = (14, 13, 12, 11, 10, 9)\n",
        "test_deflate.py::test_there_are_few_windows_however_many_clients_ask_for",
    ),
    without(
        ADAPTER,
        "asking for the caller's right",
        "procedures/publish.py",
        '        when_decided(self._realm.authorize(caller, "publish", topic, "exact"), decided)',
        '        decided(__import__("wampgate.core.decisions", fromlist=["x"]).Decision(True, ""))',
        "test_publish_procedure.py::test_what_is_wrong_is_an_error",
    ),
    without(
        ADAPTER,
        "counting against the caller's rate",
        "procedures/publish.py",
        "        if (excess := self._realm.requests.count(caller, PUBLISHES)) is not None:\n            raise excess\n",
        "",
        "test_buckets.py::test_publishing_by_call_counts_as_publishing",
    ),
    Mutation(
        FORGED,
        "the router's own word on who publishes",
        (
            Edit(
                "wire/messages/publish_subscribe.py",
                "    eligible_authrole: list[str] | None = None\n    retain: bool = False\n",
                "    eligible_authrole: list[str] | None = None\n    retain: bool = False\n"
                "    publisher_authid: str | None = None\n",
            ),
            Edit(
                "core/broker.py",
                "                    details = _details(publisher if disclosed else None, topic, subscription)\n",
                "                    details = _details(publisher if disclosed else None, topic, subscription)\n"
                "                    details.publisher_authid = options.publisher_authid or details.publisher_authid\n",
            ),
        ),
        (
            "test_forged_identity.py::test_of_an_event",
            "test_forged_identity.py::test_publishing_by_call_is_no_way_round",
        ),
    ),
    without(
        FORGED,
        "the router's own word on who joins",
        ROUTER,
        '            "authid": principal.authid,\n',
        '            "authid": joining.details.authid or principal.authid,\n',
        "test_joining.py::test_the_client_chooses_neither_its_name_nor_its_role",
    ),
    without(
        FORGED,
        "the router's own word on who calls",
        "core/dealer.py",
        "                caller_authid=caller.principal.authid,\n",
        "                caller_authid=payload.kwargs.get('caller_authid') or caller.principal.authrole,\n",
        "test_forged_identity.py::test_of_a_call_and_its_answer",
    ),
    without(
        "forged NOTIFY",
        "asking the tables first",
        STANDING,
        "            self._run(self._follow(concerned, self._now()))",
        '            [self._router.goodbye(one, uri.TOKEN_REVOKED, "") for one in concerned]',
        "test_standing.py::test_a_hint_is_only_a_hint",
        "test_postgres.py::test_forged_notifications_do_nothing",
    ),
    without(
        ROOMS,
        "one component for a variable",
        "bridge/templates.py",
        r"(?P<organization>[A-Za-z0-9_-]{1,64}+)",
        r"(?P<organization>\S{1,64}+)",
        "test_forged_rooms.py::test_a_forged_room_leads_nowhere",
    ),
    without(
        ROOMS,
        "characters that no component has",
        "bridge/templates.py",
        r"[^\s.#\x00-\x1f\x7f-\x9f\ud800-\udfff{ending}]++",
        r"[^{ending}]++",
        "test_templates.py::test_unicode_space_in_a_channel_leads_nowhere",
    ),
    without(
        POISON,
        "reading no pickles",
        "bridge/decoding.py",
        '        raise Undecodable("undecodable", f"not JSON: {reason_of(error)}") from None\n',
        '        return __import__("pickle").loads(data)\n',
        "test_decoding.py::test_no_object_is_ever_made_of_a_pickle",
    ),
    without(
        POISON,
        "dropping what can't be decoded",
        "bridge/outcomes.py",
        "        except Undecodable as error:\n            poison = error.dropped\n"
        "            self.drop(rule, poison, source)\n"
        "        except Exception:",
        "        except ZeroDivisionError:",
        "test_production.py::test_poison_on_redis_is_dropped_and_the_bridge_goes_on",
    ),
    without(
        ENDED,
        "ending sessions whose tokens are gone",
        STANDING,
        '            self._router.goodbye(session, uri.TOKEN_REVOKED, "the token was revoked")',
        "            return",
        "test_rights_end.py::test_a_token_that_is_deleted",
    ),
    without(
        ENDED,
        "taking subscriptions away",
        STANDING,
        "            self._realm.reconsider(session)\n",
        "",
        "test_rights_end.py::test_a_membership_that_is_deleted",
    ),
    without(
        ENDED,
        "sweeping",
        "composition/living.py",
        "                standing.sweep()",
        "                pass",
        "test_postgres.py::test_a_lost_notification_costs_a_sweep",
    ),
    without(
        ENDED,
        "hearing of changes",
        STANDING,
        "        store.watch(self.changed)\n",
        "        store.watch(lambda _: None)\n",
        "test_rights_end.py::test_a_membership_that_is_deleted",
        "test_rights_end.py::test_a_token_that_is_deleted",
    ),
    without(
        BEFORE,
        "asking again what a change has overtaken",
        "authorization/memberships.py",
        "            if not question.stale:\n",
        "            if True:\n",
        "test_standing.py::test_an_answer_from_before_a_change_that_no_check_could_follow_grants_nothing",
    ),
    without(
        BEFORE,
        "asking again for what waits",
        "core/revocation.py",
        "            session.inbox.reconsider()",
        "            pass",
        "test_standing.py::test_what_was_granted_while_it_waits_in_the_inbox_is_granted_no_more",
    ),
    without(
        READER,
        "the bound on what waits",
        OUTBOX,
        "            self._make_room(waiting)\n",
        "            pass\n",
        "test_slow_readers.py::test_a_reader_that_does_not_wake_up_is_cut_off_and_costs_little",
        "test_slow_readers.py::test_one_that_writes_and_never_reads_does_not_fill_the_router",
    ),
    without(
        READER,
        "the time without progress",
        OUTBOX,
        "        if self._mark() != congestion.progress:\n",
        "        if True:\n",
        "test_slow_readers.py::test_a_reader_that_takes_nothing_is_cut_off_in_time",
    ),
    without(
        READER,
        "telling of the gap",
        OUTBOX,
        "            self.write(self._tell(waiting))\n",
        "            waiting.missed = None\n",
        "test_slow_reader_policies.py::test_what_is_dropped_is_told_in_its_place",
        "test_outbox_losses.py::test_what_is_received_and_what_is_announced_is_all_that_was_sent",
    ),
    without(
        READER,
        "cutting off who can't be told",
        OUTBOX,
        "        return subscription is not None and not waiting.confirms(subscription)",
        "        return True",
        "test_slow_reader_policies.py::test_who_does_not_listen_is_cut_off",
    ),
    without(
        FLOODS,
        "the buckets",
        "core/buckets.py",
        "        if at - now > self.burst:\n",
        "        if False:\n",
        "test_quotas.py::test_a_flood_is_refused_in_words",
        "test_buckets.py::test_no_more_than_the_burst_and_the_rate_pass",
        "test_buckets.py::test_sessions_of_one_authid_share_its_bucket_and_a_new_one_does_not_fill_it",
    ),
    without(
        FLOODS,
        "ending who goes on",
        "core/requests.py",
        "            self._realm.overdone(session)\n",
        "",
        "test_quotas.py::test_a_flood_without_acknowledge_is_dropped_and_ends_with_a_code_to_come_back_from",
    ),
    without(
        GOODBYE,
        "ending the session at once",
        ROUTER,
        "        self._end(session, State.CLOSING, reason)\n",
        "",
        "test_rights_end.py::test_a_session_that_does_not_answer_goodbye_gets_nothing_more",
        "test_states.py::test_the_router_says_goodbye_and_is_answered",
    ),
    without(
        GOODBYE,
        "closing in time",
        ROUTER,
        "self._deadlines.after(GOODBYE_SECONDS, ",
        "self._deadlines.after(86400, ",
        "test_rights_end.py::test_a_session_that_does_not_answer_goodbye_gets_nothing_more",
        "test_states.py::test_a_goodbye_that_is_not_answered_closes_in_time",
    ),
    without(
        GOODBYE,
        "reading nothing after the client's own",
        ROUTER,
        "                self._deliver(Goodbye({}, uri.GOODBYE_AND_OUT), NO_PAYLOAD, (session,))\n"
        "                self._end(session)\n",
        "                self._deliver(Goodbye({}, uri.GOODBYE_AND_OUT), NO_PAYLOAD, (session,))\n",
        "test_fast_path.py::test_what_follows_goodbye_has_no_effect",
    ),
    without(
        EARLY,
        "a bound for all calls of a session",
        "core/calling.py",
        "        if sum(map(len, inbox.early.values())) - len(inbox.early) < self._requests.limits.inbox:\n",
        "        if len(early) <= self._requests.limits.inbox:\n",
        "test_call_endings.py::test_what_waits_behind_all_calls_of_a_session_is_bounded",
    ),
    without(
        EARLY,
        "keeping only what belongs to a call",
        "core/calling.py",
        "        early = inbox.early.get(message.request)\n        if early is None or not early[-1]",
        "        early = inbox.early.setdefault(message.request, [(message, payload)])\n        if not early[-1]",
        "test_call_endings.py::test_the_id_of_another_request_that_waits_is_no_call_s_and_keeps_nothing",
    ),
    without(
        EARLY,
        "looking at announcements at once",
        "core/calling.py",
        "            _check_announced(session, options)\n",
        "            pass\n",
        "test_call_endings.py::test_a_call_that_needs_what_was_not_announced_does_not_wait_for_its_decision",
    ),
    without(
        CALLEE,
        "telling the callers",
        "core/dealer.py",
        '                self._fail(pending, uri.CANCELED, Payload(["the callee left before it answered"]))\n',
        "",
        "test_calling.py::test_a_callee_that_leaves_ends_its_calls",
        "test_state_machine.py::test_the_router_does_what_the_model_does",
    ),
    Mutation(
        "log injection",
        "escaping",
        (
            Edit(
                "journal.py",
                "    return clipped(text) if name in _QUOTED else printable(clipped(text))",
                "    return clipped(text)",
            ),
            Edit(ROUTER, "{', '.join(map(repr, methods))}", "{', '.join(methods)}"),
        ),
        ("test_attackers.py::test_no_client_writes_a_line_of_its_own",),
    ),
    without(
        SECRETS,
        "hiding",
        "config/secret.py",
        '        return f"Secret({self.written})"',
        '        return f"Secret({self._text})"',
        "test_secrets.py::test_a_secret_hides_itself",
    ),
    without(
        SECRETS,
        "hiding what stands in the place of a reference",
        "config/section.py",
        'inner = ", ".join(f"{key}={value!r}" for key, value in redacted(self).items())',
        'inner = ", ".join(f"{key}={getattr(self, key)!r}" for key in redacted(self))',
        "test_secrets.py::test_no_representation_tells_a_secret",
    ),
    without(
        SECRETS,
        "taking the password out of what the database's library says",
        "stores/postgres_address.py",
        '            text = text.replace(secret, "***").replace(quote(secret, safe=""), "***")\n',
        "            pass\n",
        "test_postgres_address.py::test_texts_about_it_hold_no_secret",
    ),
    without(
        "clear bytes beside TLS",
        "the direct path for plain sockets only",
        "transports/plain_transports.py",
        "if type(transport) in DIRECT",
        'if hasattr(transport, "socket") or hasattr(transport, "writeSomeData")',
        "test_tls.py::test_nothing_is_readable_on_the_way",
    ),
    without(
        "descriptors exhausted",
        "the descriptor that Twisted keeps back",
        "service.py",
        "class Wampgate(Service):\n",
        "import twisted.internet.tcp as _tcp\n\n_tcp._reservedFD = _tcp._NullFileDescriptorReservation()\n\n\n"
        "class Wampgate(Service):\n",
        "test_attackers.py::test_without_descriptors_it_refuses_and_recovers",
    ),
    without(
        "the log's disk is full",
        "writing through Twisted's log, which outlives its observers' errors",
        "journal.py",
        "        left_out = 0 if level is LogLevel.debug else self._sparing.take(event)\n",
        "        left_out = 0 if level is LogLevel.debug else self._sparing.take(event)\n"
        '        print("x" * 100_000, file=__import__("sys").__stderr__, flush=True)\n',
        "test_attackers.py::test_a_full_disk_under_the_log_does_not_stop_it",
    ),
    without(
        HALF_OPEN,
        "dropping who does not answer",
        WEBSOCKET,
        "        if not self.heard:\n",
        "        if False:\n",
        "test_attackers.py::test_who_does_not_answer_pings_is_dropped",
        "test_dropped_packets.py::test_a_peer_whose_packets_vanish_is_dropped_and_its_place_comes_back",
    ),
    without(
        CLOCK,
        "deadlines by the monotonic clock",
        "composition/process.py",
        "deadlines = Deadlines(time.monotonic)",
        "deadlines = Deadlines(time.time)",
        "test_clock_jumps.py::test_deadlines_and_pings_go_on",
        "test_clock_jumps.py::test_tokens_live_by_the_clock_of_their_store",
        "test_clock_jumps.py::test_guesses_are_counted_for_a_minute_of_real_time",
    ),
    without(
        CLOCK,
        "the reactor's timers by the monotonic clock",
        "twistd.py",
        "        running.seconds = time.monotonic\n",
        "        running.seconds = time.time\n",
        "test_clock_jumps.py::test_deadlines_and_pings_go_on",
        "test_clock_jumps.py::test_what_ends_in_the_store_ends_here_as_soon_as_ever",
    ),
    without(
        AGAIN,
        "close codes alone for what a retry cures",
        ROUTER,
        '        if self._farewell == "always" or (self._farewell == "auto" and not ending.curable):\n',
        '        if self._farewell != "never":\n',
        "test_endings.py::test_what_is_told",
        "test_coming_back.py::test_all_come_back_after_a_database_that_was_frozen",
    ),
    without(
        "shutdown with many clients",
        "closing with a code",
        "composition/draining.py",
        "        self._process.router.shut(session, SHUTDOWN.code, SHUTDOWN.reason)\n",
        "        session.link.transport.abortConnection()\n",
        "test_daemon.py::test_sigterm_closes_clients_so_that_they_come_back_and_ends_with_status_0",
    ),
)
