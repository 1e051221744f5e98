"""The section of topic options: what is accepted, what is refused in words, and what the core is given."""

import pytest

from wampgate.composition.topics import topics_of
from wampgate.core.topics import TopicOptions

AT = "realms[0].topics[0]"


def with_topics(document, *topics):
    document["realms"][0]["topics"] = list(topics)
    return document


def test_what_the_core_is_given(document, load_document):
    configuration = load_document(
        with_topics(
            document,
            {"uri": "prices.", "match": "prefix", "slow_readers": "latest", "latest_by": "symbol"},
            {"uri": "chat", "slow_readers": "drop"},
            {"uri": "other"},
        ),
        TICKET="x",
    )
    topics = topics_of(configuration.realms[0])
    assert topics.of("prices.a") == TopicOptions("prices.", "prefix", slow_readers="latest", latest_by="symbol")
    assert topics.of("chat") == TopicOptions("chat", "exact", slow_readers="drop")
    assert topics.of("other").slow_readers == "cut_off"
    assert topics.of("elsewhere") is None
    assert len(topics) == 3


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (
            {"uri": "a", "slow_readers": "wait"},
            f'{AT}.slow_readers: expected "cut_off" or "drop" or "latest", got "wait"',
        ),
        (
            {"uri": "a", "latest_by": "key"},
            f'{AT}.latest_by: expected null unless slow_readers is "latest", got a name beside "cut_off"',
        ),
        (
            {"uri": "a", "slow_readers": "drop", "latest_by": "key"},
            f'{AT}.latest_by: expected null unless slow_readers is "latest", got a name beside "drop"',
        ),
        (
            {"uri": "a", "slow_readers": "latest", "latest_by": ""},
            f"{AT}.latest_by: expected a keyword argument's name, of 1 to 256 characters, got an empty text",
        ),
        ({"uri": "a..b"}, f"{AT}.uri: expected a URI (or pattern) that fits match, got what is none for exact"),
    ],
)
def test_what_is_refused(document, faults, options, fault):
    assert faults(with_topics(document, options)) == [fault]
