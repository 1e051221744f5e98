"""The section for operators: off by default, this machine's by default, and refused where it would be everybody's."""

from __future__ import annotations

import pytest

from wampgate.config.admin import Admin
from wampgate.config.errors import ConfigurationError
from wampgate.config.formats import is_private_endpoint

REALMS = [{"name": "realm1", "authentication": {"anonymous": {"role": "guest"}}}]


def test_it_is_off_unless_it_is_written(load_document):
    assert load_document({"realms": REALMS}).admin is None
    assert load_document({"realms": REALMS, "admin": {}}).admin == Admin()
    assert Admin().endpoint == "tcp:8081:interface=127.0.0.1"


@pytest.mark.parametrize(
    ("endpoint", "private"),
    [
        ("tcp:8081:interface=127.0.0.1", True),
        ("tcp:8081:interface=127.0.0.53", True),
        ("tcp:8081:interface=localhost", True),
        (r"tcp:8081:interface=\:\:1", True),
        ("tcp:interface=127.0.0.1:port=8081", True),
        ("unix:/run/wampgate/admin.sock:mode=600", True),
        ("ssl:8081:interface=127.0.0.1:privateKey=k.pem", True),
        ("tcp:8081", False),
        ("tcp:8081:interface=0.0.0.0", False),
        (r"tcp:8081:interface=\:\:", False),
        ("tcp:8081:interface=10.0.0.1", False),
        ("tcp:8081:interface=127.0.0.1.example.org", False),
        ("tcp:8081:interface=", False),
        ("tcp:8081:interface=127.0.0.1:interface=0.0.0.0", False),
        ("systemd:domain=INET:index=0", False),
    ],
)
def test_an_endpoint_that_others_may_reach_has_to_be_said_twice(load_document, endpoint, private):
    assert is_private_endpoint(endpoint) is private
    document = {"realms": REALMS, "admin": {"endpoint": endpoint}}
    if private:
        assert load_document(document).admin.endpoint == endpoint
    else:
        with pytest.raises(ConfigurationError, match=r"admin\.endpoint: .*public = true"):
            load_document(document)
    document["admin"]["public"] = True
    assert load_document(document).admin.public


def test_it_has_an_endpoint_of_its_own(load_document):
    endpoint = "tcp:8080:interface=127.0.0.1"
    document = {"realms": REALMS, "listen": [{"endpoint": endpoint}], "admin": {"endpoint": endpoint}}
    with pytest.raises(ConfigurationError, match=r"admin: .*listen\[0\]"):
        load_document(document)
    free = "tcp:0:interface=127.0.0.1"
    assert (
        load_document(document | {"listen": [{"endpoint": free}], "admin": {"endpoint": free}}).admin.endpoint == free
    )


@pytest.mark.parametrize("names", [["stores", "stores"], ["databases"], "stores"])
def test_what_may_be_away_is_one_of_two_things_once(load_document, names):
    with pytest.raises(ConfigurationError, match="ready_without"):
        load_document({"realms": REALMS, "admin": {"ready_without": names}})
