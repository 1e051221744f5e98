"""Templates: what matches, what is filled in, and what is refused when the rule is read."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wampgate.bridge.dialects.plain import PlainRule
from wampgate.bridge.templates import InvalidRule, Template, TopicTemplate
from wampgate.config.templates import is_source, is_topic, missing_variables
from wampgate.core.uri import is_organization_id, is_uri

ORGANIZATION = "0b8f1d5e-6c3a-4a63-9d0e-2f7f4c1b9a10"


@pytest.mark.parametrize(
    ("template", "text", "variables"),
    [
        ("channel.{organization}", "channel.7", {"organization": "7"}),
        ("channel.{organization}", "channel.07", {"organization": "07"}),
        ("channel.{organization}", f"channel.{ORGANIZATION}", {"organization": ORGANIZATION}),
        ("channel.{organization}", "channel.acme", {"organization": "acme"}),
        ("channel.{organization}", "channel.acme.eu", None),
        ("channel.{organization}", "channel.", None),
        ("channel.{organization}", "channel", None),
        ("channel.{organization}", "channel.7\n", None),
        ("channel.{organization}", "channel.\uff17", None),
        ("channel.{organization}", "channel." + "x" * 64, {"organization": "x" * 64}),
        ("channel.{organization}", "channel." + "x" * 65, None),
        ("channel.{organization}", "Channel.7", None),
        ("channel.{organization}", "xchannel.7", None),
        ("channel.{organization}.{kind}", "channel.7.news", {"organization": "7", "kind": "news"}),
        ("channel.{organization}.{kind}", "channel.7.news.more", None),
        ("{kind}:{organization}:x", "a:7:x", {"kind": "a", "organization": "7"}),
        ("user.{user}", "user.jörg@example", {"user": "jörg@example"}),
        ("user.{user}", "user.a b", None),
        ("user.{user}", "user.a#b", None),
        ("user.{user}", "user.a\x1bb", None),
        ("user.{user}", "user.\x00", None),
        ("user.{user}-x", "user.a-x", {"user": "a"}),
        ("a+b.{organization}", "a+b.1", {"organization": "1"}),
        ("a+b.{organization}", "aab.1", None),
        ("fixed", "fixed", {}),
        ("fixed", "fixed.", None),
    ],
)
def test_match(template: str, text: str, variables: dict[str, str] | None) -> None:
    assert Template(template).match(text) == variables


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("channel.{organization", "brace"),
        ("channel.organization}", "brace"),
        ("channel.{}", "brace"),
        ("channel.{Organization}", "brace"),
        ("channel.{a b}", "brace"),
        ("channel.{{organization}}", "brace"),
        ("{a}{b}", "put a character between"),
        ("{a}.{a}", "twice"),
        ("{organization}-{kind}", "nothing shows where it ends"),
        ("{organization}x", "nothing shows where it ends"),
    ],
)
def test_bad_template_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidRule, match=said):
        Template(text)


@pytest.mark.parametrize(
    ("channel", "topic", "said"),
    [
        ("c.{organization}", "{organization}", "begin with a fixed component"),
        ("c.{organization}", "organization.{user}", "from nowhere"),
        ("c", "organization.{organization}", "from nowhere"),
        ("c.{organization}", "wamp.{organization}", "the router's own"),
        ("c.{organization}", "wampgate.x.{organization}", "the router's own"),
        ("c.{organization}", "wampgate", "the router's own"),
        ("c.{organization}", "organization.x{organization}", "a whole component"),
        ("c.{organization}", "organization..{organization}", "not a URI"),
        ("c.{organization}", "organization.{organization}.", "not a URI"),
        ("c.{organization}", "organi zation.{organization}", "not a URI"),
        ("c.{organization}", "organi#zation.{organization}", "not a URI"),
    ],
)
def test_bad_topic_is_refused(channel: str, topic: str, said: str) -> None:
    with pytest.raises(InvalidRule, match=said):
        TopicTemplate(topic, Template(channel))


def test_what_a_topic_template_can_become() -> None:
    channel = Template("c.{organization}.{kind}")
    assert TopicTemplate("organization.{organization}", channel).pattern() == ("organization.", "wildcard")
    assert TopicTemplate("news.{kind}.of.{organization}", channel).pattern() == ("news..of.", "wildcard")
    assert TopicTemplate("news.all", channel).pattern() == ("news.all", "exact")


def test_topic_that_is_no_uri_or_elsewhere_is_none() -> None:
    topic = TopicTemplate("user.{user}", Template("u:{user}"))
    assert topic.topic({"user": "7"}) == "user.7"
    # No channel yields these (the template's own match refuses them); they are refused a second time.
    for value in ("", "a b", "a#", "\u2003", "x" * 1100):
        assert topic.topic({"user": value}) is None


def test_unicode_space_in_a_channel_leads_nowhere() -> None:
    channel = Template("u:{user}")
    variables = channel.match("u:a\u2003b")
    assert variables is None or TopicTemplate("user.{user}", channel).topic(variables) is None


@pytest.mark.parametrize(
    ("template", "glob"),
    [
        ("channel.{organization}", "channel.*"),
        ("a*b?[c]\\.{organization}", "a\\*b\\?\\[c\\]\\\\.*"),
        ("{kind}:{organization}", "*:*"),
    ],
)
def test_glob(template: str, glob: str) -> None:
    assert Template(template).glob() == glob


@given(st.text(), st.sampled_from(["channel.{organization}", "{kind}:{organization}", "r.{user}.{organization}#"]))
def test_filling_in_what_matched_gives_the_text_again(text: str, written: str) -> None:
    template = Template(written)
    for candidate in (text, template.fill(dict.fromkeys(template.names, text))):
        variables = template.match(candidate)
        if variables is not None:
            assert template.fill(variables) == candidate
            assert is_organization_id(variables["organization"])
            assert all(is_uri(value) and "." not in value for value in variables.values())


@given(st.text(alphabet="organization.:7#{} \n\u2003", max_size=60))
def test_a_topic_is_a_uri_below_its_prefix_or_none(text: str) -> None:
    channel = Template("c:{kind}:{organization}")
    topics = TopicTemplate("organization.{organization}.{kind}", channel)
    variables = channel.match("c:" + text)
    topic = topics.topic(variables) if variables is not None else None
    assert topic is None or (is_uri(topic) and topic.startswith("organization.") and topic.count(".") == 2)


def test_hostile_text_costs_no_more_than_its_length() -> None:
    template = Template("{a}:{b}:{c}:{d}:end")
    start = time.perf_counter()
    for _ in range(100):
        assert template.match(":" * 1024) is None
        assert template.match("a:" * 512) is None
        assert template.match("a" * 1024) is None
    assert time.perf_counter() - start < 1
    assert template.match("a:b:c:d:end" + "x" * 10_000_000) is None


TEMPLATES = st.lists(
    st.sampled_from(
        ["{organization}", "{user}", "{a}", ".", ":", "-", "x", "organization", "#", "{", "}", " ", "wamp"]
    ),
    max_size=6,
).map("".join)


@given(TEMPLATES, TEMPLATES)
def test_what_router_json_may_hold_makes_a_rule(source: str, topic: str) -> None:
    """The configuration is checked before any bridge is made: a rule that passes there must not fail here."""
    if is_source(source) and is_topic(topic) and missing_variables(source, topic) is None:
        rule = PlainRule(source, topic)
        assert rule.topics()[0].uri
