"""The defences of docs/security.md against ways round through the meta API and testaments, each taken out."""

from __future__ import annotations

from typing import Final

from .mutation import Mutation, without

META: Final = "the meta API as a way round: other organizations' sessions, counts and events"
TESTAMENTS: Final = "testaments as a way round"
BUSY: Final = "testaments and looks through everything that fill the memory or keep the router busy"

MUTATIONS: Final[tuple[Mutation, ...]] = (
    without(
        META,
        "comparing organizations",
        "core/visibility.py",
        'return extent == "organizations" and not self._organizations(viewer).isdisjoint(self._organizations(other))',
        'return extent == "organizations"',
        "test_meta_isolation.py::test_nobody_learns_of_what_is_not_its_own",
        "test_meta_sessions.py::test_each_sees_what_is_its_own",
        "test_meta_visibility.py::test_members_see_their_own_organization",
    ),
    without(
        META,
        "telling who is no user",
        "core/visibility.py",
        "        if user is None or theirs is None:\n            return False\n",
        "",
        "test_meta_sessions.py::test_each_sees_what_is_its_own",
    ),
    without(
        META,
        "who may be killed",
        "procedures/meta_sessions.py",
        "        if session is None or is_inside(session) or not self._realm.visibility.sees(asked.caller, session):\n",
        "        if session is None or is_inside(session):\n",
        "test_meta_sessions.py::test_what_one_does_not_see_one_does_not_end",
    ),
    without(
        META,
        "hiding requests",
        "core/visibility.py",
        "    return isinstance(session.link, LocalLink)",
        "    return False",
        "test_meta_sessions.py::test_requests_are_not_shown",
    ),
    without(
        META,
        "looking at each receiver",
        "core/meta.py",
        "concerned = [session for session in subscription.recipients if sees(session, about)]",
        "concerned = list(subscription.recipients)",
        "test_meta_isolation.py::test_nobody_learns_of_what_is_not_its_own",
        "test_meta_sessions.py::test_joining_and_leaving",
    ),
    without(
        META,
        "asking for each receiver's right",
        "core/meta.py",
        "        return self._realm.authorize(session, subject.action, subject.uri, subject.match)",
        "        return _SEEN",
        "test_meta_subscriptions.py::test_each_hears_of_what_it_may_subscribe_to_by_whom_it_sees",
    ),
    without(
        META,
        "whom callees are shown to",
        "procedures/meta_registrations.py",
        "lambda session: sees(caller, session), then)",
        "lambda session: sees(session, session) or caller is session, then)",
        "test_meta_registrations.py::test_callees_are_those_one_sees",
    ),
    without(
        TESTAMENTS,
        "asking when it is added",
        "procedures/testaments.py",
        "            if not decision.allowed:\n",
        "            if False:\n",
        "test_testaments.py::test_what_one_may_not_publish_one_may_not_leave",
    ),
    without(
        TESTAMENTS,
        "asking again when it is published",
        "core/testament.py",
        "        if not decision.allowed:\n",
        "        if False:\n",
        "test_testaments.py::test_rights_that_ended_meanwhile_are_asked_again",
        "test_meta_visibility.py::test_a_testament_of_a_member_that_is_none_any_more",
    ),
    without(
        TESTAMENTS,
        "forgetting what a token said",
        "core/testament.py",
        "    if who.organizations is None or reason not in _ENDED:\n",
        "    if True:\n",
        "test_testaments.py::test_what_a_signed_token_says_ends_with_it",
    ),
    without(
        BUSY,
        "the number",
        "core/testament.py",
        "        if len(theirs) >= limits.testaments:\n",
        "        if False:\n",
        "test_testaments.py::test_no_more_than_there_may_be",
    ),
    without(
        BUSY,
        "the bytes",
        "core/testament.py",
        "        if sum(other.size for other in theirs) + testament.size > limits.testament_bytes:\n",
        "        if False:\n",
        "test_testaments.py::test_no_more_than_there_may_be",
    ),
    without(
        BUSY,
        "counting them as publications",
        "procedures/testaments.py",
        "        if (excess := self._realm.requests.count(asked.caller, PUBLISHES)) is not None:\n"
        "            raise excess\n",
        "",
        "test_testaments.py::test_they_count_as_publications",
    ),
    without(
        BUSY,
        "pauses",
        "core/sifting.py",
        "            if looked_at % _BETWEEN_LOOKS == 0 and self._later is not None and self._now() >= until:\n",
        "            if False:\n",
        "test_sifting.py::test_many_things_let_others_work_between",
    ),
    without(
        BUSY,
        "turns",
        "core/sifting.py",
        "        if len(calls) == 1:\n            self._ready.append(asked.caller)\n",
        "        if True:\n            self._ready.append(asked.caller)\n",
        "test_sifting.py::test_callers_take_turns_and_each_has_one_call_at_a_time",
    ),
    without(
        BUSY,
        "the bound on what waits for decisions",
        "core/late_events.py",
        "        if len(waiting) >= MAX_WAITING:\n",
        "        if False:\n",
        "test_meta_subscriptions.py::test_what_waits_is_bounded_and_gone_with_its_receiver",
    ),
)
