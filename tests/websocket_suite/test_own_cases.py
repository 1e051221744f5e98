"""What the Autobahn test suite's cases 1 to 7 and 10 check, in our own words: it runs where there is no Python 2.7."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from websocket_suite import cases_control, cases_fragments, cases_framing, cases_utf8
from websocket_suite.case import KINDS, of_both_kinds
from websocket_suite.conversation import LONGEST_BY_BYTES, WAYS, talk
from websocket_suite.echo_process import EchoProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websocket_suite.case import Case, Kind

TEXT, BINARY = KINDS

CASES = [
    *of_both_kinds(cases_framing.lengths_and_masks),
    *of_both_kinds(cases_framing.broken_lengths_and_masks),
    *of_both_kinds(cases_framing.reserved_bits),
    *of_both_kinds(cases_framing.opcodes),
    *of_both_kinds(cases_control.pings),
    *of_both_kinds(cases_control.closing),
    *of_both_kinds(cases_control.close_frames),
    *of_both_kinds(cases_fragments.fragmented),
    *of_both_kinds(cases_fragments.broken_fragments),
    *((TEXT, case) for case in cases_utf8.text()),
    *((TEXT, case) for case in cases_utf8.no_text()),
    *((TEXT, case) for case in cases_utf8.early()),
    *((BINARY, case) for case in cases_utf8.bytes_that_are_no_text()),
]


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    """The port of an echo endpoint."""
    with EchoProcess() as endpoint:
        yield endpoint.port


@pytest.mark.parametrize(("kind", "case"), CASES, ids=[f"{case} ({kind.name})" for kind, case in CASES])
def test_case(echo: int, kind: Kind, case: Case) -> None:
    ways = WAYS if sum(map(len, case.frames)) <= LONGEST_BY_BYTES else WAYS[:-1]
    for way in ways:
        talk(echo, kind, case, way)


def test_no_case_is_there_twice() -> None:
    assert len({(kind.name, case.number) for kind, case in CASES}) == len(CASES)
