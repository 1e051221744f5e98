"""The defences around procedures that decide, each taken out."""

from __future__ import annotations

from typing import Final

from .mutation import Edit, Mutation, without

AUTHENTICATOR: Final = "authentication/dynamic.py"
ANSWERS: Final = "authentication/dynamic_answers.py"
AUTHORIZER: Final = "authorization/dynamic.py"
KEPT: Final = "authorization/kept_decisions.py"
CALLER: Final = "core/local_caller.py"

WHO: Final = "a procedure that says who someone is, and is gone, silent, broken or wrong ([dynamic.md](dynamic.md))"
ROUND: Final = (
    "a dynamic authorizer as a way round: another's answer, an organization's topic, the router's own procedures"
)
SELF: Final = "deciding in a decider's place, or about oneself"
SILENT: Final = "a dynamic authorizer that is silent, and floods of questions to it"
ENDED: Final = "rights that a dynamic authorizer no longer gives"

MUTATIONS: Final = (
    without(
        WHO,
        "its deadline",
        CALLER,
        "caller.deadlines.after(caller.seconds, self._late)",
        "caller.deadlines.after(86400.0, self._late)",
        "test_dynamic.py::test_it_is_late",
        "test_dynamic.py::test_a_silent_one_keeps_nobody_waiting_and_holds_few_questions",
        "test_dynamic_authenticator.py::test_a_frozen_one_lets_nobody_in_and_hurts_no_one_else",
    ),
    without(
        WHO,
        "the bound on questions at a time",
        CALLER,
        "        if len(self._under_way) < self._limit:\n",
        "        if True:\n",
        "test_dynamic.py::test_a_silent_one_keeps_nobody_waiting_and_holds_few_questions",
    ),
    without(
        WHO,
        "refusing what is the router's own",
        ANSWERS,
        "    if _ROLE.fullmatch(text) is None or is_reserved(text):\n",
        "    if _ROLE.fullmatch(text) is None:\n",
        "test_dynamic.py::test_it_answers_nonsense",
        "test_dynamic_answers.py::test_nonsense_is_none_and_the_field_is_named",
    ),
    without(
        WHO,
        "refusing fields that are not known",
        ANSWERS,
        "    if unknown:\n",
        "    if False:\n",
        "test_dynamic_answers.py::test_nonsense_is_none_and_the_field_is_named",
    ),
    without(
        WHO,
        "refusing the names of the configuration's principals",
        AUTHENTICATOR,
        '        if not self._reserved.isdisjoint((authid, answer.user or "")):\n',
        "        if False:\n",
        "test_dynamic.py::test_it_answers_nonsense",
    ),
    without(
        WHO,
        "counting what it refuses as a guess",
        AUTHENTICATOR,
        "        return JoinRefused(uri.AUTHENTICATION_DENIED, message, log)",
        "        return JoinRefused(uri.NOT_AUTHORIZED, message, log)",
        "test_dynamic.py::test_refused_tickets_count_as_guesses",
    ),
    without(
        WHO,
        "stopping who guesses without a token",
        AUTHENTICATOR,
        "        if limit is not None:\n",
        "        if False:\n",
        "test_dynamic.py::test_who_is_refused_too_often_it_is_asked_about_no_more",
    ),
    without(
        WHO,
        "silence about the ticket",
        AUTHENTICATOR,
        'raise self._denied("the token is not accepted", f"{self._procedure} knows no such ticket")',
        'raise self._denied("the token is not accepted", f"{self._procedure} knows no {ticket}")',
        "test_dynamic.py::test_no_ticket_is_in_the_log_whatever_happens",
    ),
    without(
        WHO,
        "silence about what a callee says",
        CALLER,
        'f"it failed with {message.error}"',
        'f"{message.error}: {payload.args}"',
        "test_dynamic_local_caller.py::test_an_error_tells_its_uri_and_nothing_that_the_callee_said",
    ),
    Mutation(
        ROUND,
        "answers by who asked",
        (
            Edit(
                KEPT,
                "        kept = self._kept_by_authid.get(authid)\n",
                '        kept = self._kept_by_authid.get("")\n',
            ),
            Edit(
                KEPT,
                "        kept = self._kept_by_authid.setdefault(authid, {})\n",
                '        kept = self._kept_by_authid.setdefault("", {})\n',
            ),
            Edit(
                KEPT,
                "    return (who.authrole, who.authmethod, who.authprovider, who.user, extra, action, subject, match)",
                '    return (who.authrole, who.authmethod, who.authprovider, "", extra, action, subject, match)',
            ),
        ),
        (
            "test_dynamic_authorizer.py::test_two_users_of_one_role_never_share_one",
            "test_dynamic_authorizer.py::test_what_is_kept_is_what_was_said_of_the_same_principal_and_request",
            "test_dynamic_authorizer.py::test_what_members_get_is_what_was_said_of_them",
        ),
    ),
    without(
        ROUND,
        "answers by match policy",
        KEPT,
        "    return (who.authrole, who.authmethod, who.authprovider, who.user, extra, action, subject, match)",
        '    return (who.authrole, who.authmethod, who.authprovider, who.user, extra, action, subject, "exact")',
        "test_dynamic_authorizer.py::test_an_answer_for_a_pattern_counts_for_that_pattern_alone",
    ),
    without(
        ROUND,
        "asking whose the topic is",
        AUTHORIZER,
        "        if not self._owned(subject, match):\n",
        "        if True:\n",
        "test_dynamic_authorizer.py::test_rules_and_topics_decide_first_and_it_is_not_asked",
        "test_dynamic_authorizer.py::test_what_belongs_to_an_organization_it_gives_to_members_only",
    ),
    without(
        ROUND,
        "rules alone for what is the router's own",
        AUTHORIZER,
        "        if answer is not NO_RULE or procedure is None or is_reserved(subject, match):\n",
        "        if answer is not NO_RULE or procedure is None:\n",
        "test_dynamic_authorizer.py::test_the_router_s_own_procedures_it_gives_to_nobody",
    ),
    without(
        SELF,
        "rules alone for who may decide",
        AUTHORIZER,
        'if action == "register" and any(overlaps(subject, match, each, "exact") for each in self._deciding):\n',
        "if False:\n",
        "test_dynamic_authorizer.py::test_nobody_becomes_the_one_that_decides_by_its_own_word",
        "test_dynamic_authorizer.py::test_a_template_that_lets_register_lets_nobody_decide",
        "test_dynamic_authorizer_running.py::test_nobody_else_can_answer_for_it",
    ),
    without(
        SELF,
        "rules alone about who decides",
        AUTHORIZER,
        "procedures.items() if not self._decides_for_others(role)\n",
        "procedures.items()\n",
        "test_dynamic_authorizer.py::test_who_decides_for_others_is_decided_by_rules_alone",
    ),
    without(
        SILENT,
        "the deadline",
        CALLER,
        "caller.deadlines.after(caller.seconds, self._late)",
        "caller.deadlines.after(3600.0, self._late)",
        "test_dynamic_authorizer.py::test_a_silent_one_grants_nothing_and_keeps_no_queue",
        "test_dynamic_authorizer_running.py::test_a_frozen_one_grants_nothing_and_keeps_no_queue",
    ),
    without(
        SILENT,
        "the bound on those who wait",
        CALLER,
        "        if len(self._waiting) >= self._most_waiting:\n",
        "        if False:\n",
        "test_dynamic_local_caller.py::test_no_more_wait_than_may",
    ),
    without(
        SILENT,
        "the bound for each authid",
        AUTHORIZER,
        "            if self._under_way[who.authid] >= self._most_of_one:\n",
        "            if False:\n",
        "test_dynamic_authorizer.py::test_one_user_leaves_places_for_the_others",
    ),
    without(
        SILENT,
        "the share of one authid in what is kept",
        KEPT,
        "        if len(self._kept_by_authid.get(authid, ())) >= self._share:\n",
        "        if False:\n",
        "test_dynamic_authorizer.py::test_one_that_asks_about_very_many_drives_out_its_own",
    ),
    without(
        SILENT,
        "limits that are for clients alone",
        "core/requests.py",
        "        if session.connection is INSIDE:\n            return None\n",
        "",
        "test_dynamic_local_caller.py::test_the_limits_of_clients_are_not_the_router_s",
    ),
    without(
        ENDED,
        "forgetting what was said",
        AUTHORIZER,
        "        self.kept.forget(authid)\n",
        "",
        "test_dynamic_authorizer.py::test_rights_that_end_are_taken_away_when_it_says_so",
        "test_dynamic_authorizer_running.py::test_rights_that_end_are_taken_away",
    ),
    without(
        ENDED,
        "asking again for what was on its way",
        AUTHORIZER,
        "                self._questions.pop(key).stale = True\n",
        "                pass\n",
        "test_dynamic_authorizer.py::test_an_answer_from_before_the_change_counts_for_nothing",
    ),
    without(
        ENDED,
        "memberships that are asked each time",
        AUTHORIZER,
        "if owner.allowed else owner,\n",
        "if owner.allowed or self._procedures[0]._kept else owner,\n",
        "test_dynamic_authorizer.py::test_a_membership_that_ended_counts_at_once_whatever_was_kept",
    ),
)
