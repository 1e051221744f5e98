"""The defences of docs/security.md that concern patterns, and events that are kept, each taken out."""

from __future__ import annotations

from typing import Final

from .mutation import Edit, Mutation, without

RETAINED_SHOWN: Final = "retained events as a way round"
FULL: Final = "kept and retained events that fill the memory, or the outbox of who subscribes"
SLOW: Final = "patterns that slow down others' topics or fill the memory"

RETAINED: Final = "core/retained.py"
STORED: Final = "core/stored_events.py"
MATCHING: Final = "core/matching.py"

MUTATIONS: Final[tuple[Mutation, ...]] = (
    without(
        RETAINED_SHOWN,
        "the right to subscribe",
        "core/publish_subscribe.py",
        """        if not decision.allowed:
            requests.refuse(session, message, requests.refusal(session, "subscribe", message.topic, match, decision))
""",
        """        if False:
            requests.refuse(session, message, requests.refusal(session, "subscribe", message.topic, match, decision))
""",
        "test_retained.py::test_a_refused_subscription_shows_nothing",
    ),
    without(
        RETAINED_SHOWN,
        "the publisher's lists",
        RETAINED,
        "            if kept.excluded != session.id and kept.event.is_for(session):\n",
        "            if kept.excluded != session.id:\n",
        "test_retained.py::test_who_would_not_have_received_it_gets_the_one_before",
    ),
    without(
        RETAINED_SHOWN,
        "leaving out events with lists of sessions",
        RETAINED,
        "        if (treated is not None and not treated.retain) or names_sessions(options):\n",
        "        if treated is not None and not treated.retain:\n",
        "test_retained.py::test_lists_of_sessions_are_not_retained",
    ),
    without(
        RETAINED_SHOWN,
        "hiding what predates a membership",
        RETAINED,
        "                return None if kept.clears or kept.event.at < since else kept\n",
        "                return None if kept.clears else kept\n",
        "test_retained.py::test_what_predates_a_membership_is_hidden_where_history_hides_it",
    ),
    without(
        FULL,
        "a share for each publisher",
        RETAINED,
        "        while len(share.kept) > bounds.events_per_publisher or share.bytes > bounds.bytes_per_publisher:\n",
        "        while share.bytes > bounds.bytes_per_publisher:\n",
        "test_retained.py::test_no_publisher_takes_more_than_its_share_and_loses_its_own",
        "test_retained.py::test_nor_does_a_crowd_without_names_from_one_network",
    ),
    without(
        FULL,
        "one share for all without a name from one network",
        RETAINED,
        '        return ("network", publisher.connection.network)\n',
        '        return ("authid", principal.authid)\n',
        "test_retained.py::test_nor_does_a_crowd_without_names_from_one_network",
    ),
    without(
        FULL,
        "a bound on what one SUBSCRIBE is answered with",
        RETAINED,
        "        return events[:fitting][::-1]\n",
        "        return events[::-1]\n",
        "test_retained.py::test_one_subscribe_is_answered_with_a_bounded_number_the_newest_of_them",
    ),
    without(
        FULL,
        "counting lists and keys",
        STORED,
        "    return sum(len(text) + _OVERHEAD_OF_A_TEXT for text in texts)\n",
        "    return 0\n",
        "test_retained.py::test_whatever_a_publisher_chooses_counts",
        "test_history.py::test_whatever_a_publisher_chooses_counts",
    ),
    without(
        FULL,
        "going through a list once",
        STORED,
        "        if self._test is None:\n",
        "        if self._test is None or self.audience is not None:\n",
        "test_history.py::test_a_long_list_is_gone_through_once_for_all_who_read",
    ),
    Mutation(
        SLOW,
        "prefixes kept under their heads",
        (
            Edit(MATCHING, """    return prefix[: prefix.rfind(".") + 1]\n""", """    return ""\n"""),
            Edit(
                MATCHING,
                "                end = len(uri) if dot < 0 else dot\n",
                "                end = len(uri)\n",
            ),
        ),
        ("test_matching.py::test_a_look_up_does_not_grow_with_patterns_that_have_nothing_to_do_with_it",),
    ),
    without(
        SLOW,
        "one node for a run of components",
        MATCHING,
        """                node.nodes_by_component[components[at]] = _Node(components[at:], value)
                return
""",
        """                below = node.nodes_by_component[components[at]] = _Node(components[at : at + 1])
""",
        "test_matching.py::test_a_deep_wildcard_takes_no_more_nodes_than_a_shallow_one",
    ),
    without(
        SLOW,
        "a bound on what is remembered",
        MATCHING,
        "            if len(self._matched) >= _REMEMBERED:\n",
        "            if False:\n",
        "test_matching.py::test_what_is_remembered_is_bounded",
    ),
)
