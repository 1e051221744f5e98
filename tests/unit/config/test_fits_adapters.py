"""What the configuration accepts, the adapters that get it accept too: else `check` would praise what can't start."""

from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.endpoints import serverFromString
from twisted.internet.testing import MemoryReactorClock

from wampgate.authentication.key_download import KeyDownload
from wampgate.bridge.redis_url import parse_redis_url
from wampgate.bridge.templates import Template, TopicTemplate
from wampgate.config import formats, templates
from wampgate.config.stores import PRESETS_OF_JTI
from wampgate.config.values import Preset
from wampgate.core.uri import is_reserved, is_uri
from wampgate.stores.instants import zone_of
from wampgate.stores.presets import PRESETS
from wampgate.tls import trust_root_of

PARTS = ["", "a", "channel", ".", ":", "-", "{organization}", "{kind}", "{x_1}", "{", "*", " ", "#", "wamp"]
TEXTS = {"".join(parts) for parts in product(PARTS, repeat=4)}


def test_templates_of_channels_and_rooms():
    accepted = [text for text in TEXTS if templates.is_source(text)]
    assert len(accepted) > 1000
    for text in accepted:
        template = Template(text)
        assert template.match(template.fill(dict.fromkeys(template.names, "7"))) is not None


def test_templates_of_topics():
    accepted = [text for text in TEXTS if templates.is_topic(text)]
    assert len(accepted) > 100
    for text in accepted:
        source = ":".join(["x", *(f"{{{name}}}" for name in templates.variables(text))])
        assert templates.is_source(source)
        assert templates.missing_variables(source, text) is None
        topic = TopicTemplate(text, Template(source)).topic(dict.fromkeys(templates.variables(text), "7"))
        assert is_uri(topic)
        assert not is_reserved(topic, "exact")


@given(
    url=st.builds(
        "{}://{}{}{}{}".format,
        st.sampled_from(["redis", "rediss", "http"]),
        st.sampled_from(["", "u@", "u:p@", ":p@", ":@", "u:%40@", "u:%ff@", "@", "u:a:b@", "u:p@q@"]),
        st.sampled_from(["h", "a.example", "[::1]", "[::g]", "10.0.0.1", ""]),
        st.sampled_from(["", ":1", ":0", ":65536", ":x", ":"]),
        st.sampled_from(["", "/", "/0", "/999999999", "/9999999999", "/x", "/0/1", "?a", "#b"]),
    )
)
def test_redis_urls(url):
    accepted = formats.is_redis_url(url)
    try:
        parse_redis_url(url)
    except ValueError:
        assert not accepted


@given(
    url=st.builds(
        "{}://{}{}{}".format,
        st.sampled_from(["https", "http"]),
        st.sampled_from(["a", "a.example", "A.example", "a_b.example", "-a.example", "[::1]", "10.0.0.1", "localhost"]),
        st.sampled_from(["", ":1", ":0", ":65536", ":x"]),
        st.sampled_from(["", "/", "/keys", "/keys?a=1", "#b"]),
    )
)
def test_urls_of_keys(url):
    if formats.is_keys_url(url):
        KeyDownload(MemoryReactorClock(), url, trust_root_of(None))


def test_presets():
    names = get_args(Preset)
    assert set(names) == set(PRESETS)
    assert {name for name in names if PRESETS[name].holds_jti} == set(PRESETS_OF_JTI)


@given(name=st.sampled_from(["UTC", "utc", "Etc/UTC", "Europe/Berlin", "Mars/Olympus", "Etc/GMT+1"]))
def test_time_zones(name):
    if formats.is_known_time_zone(name):
        zone_of(name)


@pytest.mark.parametrize(
    "text",
    ["tcp:8080:interface=127.0.0.1", "tcp:port=0", r"tcp:80:interface=\:\:1", "unix:/tmp/x.sock:mode=660", "tcp6:80"],
)
def test_endpoints(text):
    assert formats.is_endpoint(text)
    assert serverFromString(MemoryReactorClock(), text) is not None
