"""The defences of docs/security.md for the status page and the procedures behind it, each taken out."""

from __future__ import annotations

from typing import Final

from .mutation import Mutation, without

MARKUP: Final = (
    "names, topics, agents and reasons that become markup or script in the browser of whoever looks at the status page"
)
LOOKS: Final = "names that look like others on the status page: reading direction, what can't be seen, great length"
FLOOD: Final = "a flood of refusals that hides another one from the operator"
ROUND: Final = "the status procedures as a way round: others' sessions, topics and refusals, or those of another realm"
BUSY: Final = "status calls that keep the router busy"

MUTATIONS: Final[tuple[Mutation, ...]] = (
    without(
        MARKUP,
        "writing text",
        "http/status/elements.js",
        "parent.append(child instanceof Node ? child : String(child));",
        'parent.insertAdjacentHTML("beforeend", child instanceof Node ? child.outerHTML : String(child));',
        "test_status_page.py::test_hostile_texts_in_a_browser",
    ),
    without(
        MARKUP,
        "the policy on markup",
        "http/channel.py",
        "b\"frame-ancestors 'none'; require-trusted-types-for 'script'\"",
        "b\"frame-ancestors 'none'\"",
        "test_status_page.py::test_hostile_texts_in_a_browser",
    ),
    without(
        LOOKS,
        "writing out what can't be seen",
        "http/status/words.js",
        '.join("").replace(UNSEEN, escaped)',
        '.join("")',
        "test_status_page.py::test_hostile_texts_in_a_browser",
    ),
    without(
        FLOOD,
        "a share",
        "observation/refusals.py",
        "        if len(theirs) > SHARE:\n",
        "        if len(theirs) > KEPT:\n",
        "test_refusals.py::test_a_flood_of_one_user_leaves_others_where_they_are",
        "test_refusals.py::test_a_flood_of_one_address_under_many_names_leaves_others_where_they_are",
    ),
    without(
        FLOOD,
        "taking from whoever has the most",
        "observation/refusals.py",
        "most = [(-len(theirs), theirs[0].number, whom)",
        "most = [(0, theirs[0].number, whom)",
        "test_refusals.py::test_a_flood_of_many_addresses_keeps_the_rarer_ones_longest",
    ),
    without(
        FLOOD,
        "counting who has no name of his own by his address",
        "observation/refusals.py",
        "    if principal is not None and principal.authprovider in _KNOWN:\n",
        "    if principal is not None:\n",
        "test_refusals.py::test_a_flood_of_one_address_under_many_names_leaves_others_where_they_are",
    ),
    without(
        FLOOD,
        "cutting texts",
        "observation/refusals.py",
        '"" if principal is None else clipped(principal.authid),',
        '"" if principal is None else principal.authid,',
        "test_refusals.py::test_a_uri_is_kept_whole_and_a_long_name_is_cut",
    ),
    without(
        ROUND,
        "asking who is visible",
        "procedures/status.py",
        "not is_inside(session) and sees(caller, session) and _has(session, wanted)",
        "not is_inside(session) and _has(session, wanted)",
        "test_status.py::test_a_member_may_count_but_sees_its_own_session_only",
    ),
    without(
        ROUND,
        "asking who sees all",
        "procedures/status.py",
        "        if not self._realm.visibility.sees_all(asked.caller):\n",
        "        if asked.caller is None:\n",
        "test_status.py::test_a_member_may_count_but_sees_its_own_session_only",
    ),
    without(
        ROUND,
        "a ring for each realm",
        "observation/refusals.py",
        "        realm = _realm_of(session)\n",
        "        realm = None\n",
        "test_status.py::test_nothing_of_another_realm",
    ),
    without(
        ROUND,
        "keeping other realms' names",
        "observation/snapshot.py",
        '    if reason.startswith("realm ") and not reason.startswith(f"realm {viewed_from.name}: "):\n',
        '    if reason.startswith("!") and viewed_from:\n',
        "test_status.py::test_reasons_make_it_not_ready_and_draining_comes_first",
    ),
    without(
        BUSY,
        "a greatest page",
        "procedures/status.py",
        "    if type(limit) is not int or not 1 <= limit <= MAX_ROWS:\n",
        "    if type(limit) is not int or limit < 1:\n",
        "test_status.py::test_limits_that_are_none",
    ),
    without(
        BUSY,
        "one count for a second",
        "procedures/status.py",
        "_TALLY_SECONDS: Final = 1.0",
        "_TALLY_SECONDS: Final = 0.0",
        "test_status.py::test_who_asks_often_is_answered_from_one_count",
    ),
    without(
        BUSY,
        "looking in small steps",
        "core/sifting.py",
        "_AT_ONCE_SECONDS: Final = 0.005",
        "_AT_ONCE_SECONDS: Final = 5.0",
        "test_status.py::test_ten_thousand_sessions_are_looked_through_in_small_steps",
    ),
)
