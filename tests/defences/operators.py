"""The defences of docs/security.md for what operators are served."""

from __future__ import annotations

from typing import Final

from .mutation import Mutation, without

IN_PUBLIC: Final = "metrics, readiness and status page in public"
ELSEWHERE: Final = "the operators' listener, read by a page of somebody else's"
CROWDED: Final = "a crowd, or somebody who guesses tokens, that keeps operators out"
LABELS: Final = "metrics that grow with what clients say, or repeat it"

MUTATIONS: Final[tuple[Mutation, ...]] = (
    without(
        IN_PUBLIC,
        "a listener of its own",
        "http/site.py",
        'nodes[b"health"] = Node({b"live": Fixed(ALIVE)}, absent)',
        'nodes[b"health"] = Node({b"live": Fixed(ALIVE), b"ready": Fixed(ALIVE)}, absent)',
        "test_admin_listener.py::test_a_public_listener_serves_liveness_and_nothing_else_of_it",
    ),
    without(
        IN_PUBLIC,
        "having to be said twice",
        "config/formats.py",
        '    if kind == "unix":\n        return True\n    interfaces',
        "    if kind:\n        return True\n    interfaces",
        "test_admin_listener.py::test_an_endpoint_that_others_can_reach_has_to_be_said_twice",
    ),
    without(
        ELSEWHERE,
        "Host and Origin checks",
        "composition/admin.py",
        "origins=OriginsByAddress(process.origins),",
        'origins=type("All", (), dict.fromkeys(("accepts_host", "accepts_origin"), lambda *_: 1))(),',
        "test_admin_listener.py::test_a_rebound_name_and_a_foreign_page_reach_nothing",
    ),
    without(
        ELSEWHERE,
        "telling an address from a name",
        "transports/origins.py",
        "            IPv4Address(name)\n",
        "            IPv4Address(name[:8])\n",
        "test_admin_listener.py::test_what_only_looks_like_an_address_is_none",
    ),
    without(
        ELSEWHERE,
        "Origin checks by an address",
        "transports/origins.py",
        "        return self._others.accepts_origin(origin, host, secure)\n",
        "        return True\n",
        "test_admin_listener.py::test_a_page_elsewhere_gets_no_further_by_an_address",
    ),
    without(
        ELSEWHERE,
        "the policy",
        "http/channel.py",
        "    b\"frame-ancestors 'none'; require-trusted-types-for 'script'\"\n",
        "    b\"require-trusted-types-for 'script'\"\n",
        "test_admin_listener.py::test_every_answer_has_the_headers_that_keep_pages_apart",
    ),
    without(
        CROWDED,
        "places of its own",
        "composition/admin.py",
        "            self._port = self._port_of(section, configuration, page)\n",
        "            self._port = self._port_of(section, configuration, page)\n"
        "            self._port.places = self._process.port.places\n",
        "test_admin_listener.py::test_a_crowd_at_the_public_listener_keeps_no_operator_out",
    ),
    without(
        CROWDED,
        "counts of its own",
        "composition/admin.py",
        'apart="admin ",',
        'apart="",',
        "test_admin_listener.py::test_those_who_guess_tokens_elsewhere_keep_no_operator_out",
    ),
    without(
        LABELS,
        "roles of the configuration alone",
        "observation/metrics.py",
        "role if role in view.roles else OTHERS",
        "role",
        "test_metrics.py::test_roles_and_methods_that_the_configuration_does_not_name_are_one",
    ),
    without(
        LABELS,
        "errors of the router's alone",
        "observation/metrics.py",
        "_last_word(str(error)) if error in _ERRORS else OTHERS",
        "_last_word(str(error))",
        "test_metrics.py::test_refused_joins_are_counted_by_their_reason",
    ),
)
