"""The section ``meta_api`` of router.json, how far roles see, and the limits of testaments."""

import pytest

from wampgate.composition.limits import session_limits_of
from wampgate.config import ConfigurationError

AT = "realms[0].meta_api.sights"


def test_what_may_be_said(document, load_document):
    sights = [{"role": "auditor", "sees": "all"}, {"role": "member", "sees": "own"}]
    document["realms"][0]["meta_api"] = {"sights": sights}
    configuration = load_document(document, TICKET="x")
    assert [(sight.role, sight.sees) for sight in configuration.realms[0].meta_api.sights] == [
        ("auditor", "all"),
        ("member", "own"),
    ]


def test_nothing_is_said(document, load_document):
    assert load_document(document, TICKET="x").realms[0].meta_api.sights == ()


@pytest.mark.parametrize(
    ("sights", "fault"),
    [
        ([{"role": "member", "sees": "everything"}], f'{AT}[0].sees: expected "all" or "organizations" or "own"'),
        ([{"sees": "all"}], f"{AT}[0].role"),
        ([{"role": "wampgate.x", "sees": "all"}], f"{AT}[0].role"),
        ([{"role": "a", "sees": "all"}, {"role": "a", "sees": "own"}], f"{AT}[1]"),
        ([{"role": "a", "sees": "all", "match": "prefix"}], f"{AT}[0].match"),
    ],
)
def test_what_may_not(document, load_document, sights, fault):
    document["realms"][0]["meta_api"] = {"sights": sights}
    with pytest.raises(ConfigurationError) as error:
        load_document(document, TICKET="x")
    assert fault in str(error.value)


def test_limits_of_testaments(document, load_document):
    document["limits"] |= {"testaments_per_session": 0, "testament_bytes_per_session": 100}
    limits = session_limits_of(load_document(document, TICKET="x").limits)
    assert (limits.testaments, limits.testament_bytes) == (0, 100)
    document["limits"]["testaments_per_session"] = -1
    with pytest.raises(ConfigurationError, match="testaments_per_session"):
        load_document(document, TICKET="x")
