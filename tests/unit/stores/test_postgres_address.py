"""What a DSN says, what libpq is given instead of host names, and what no text repeats."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, succeed

from wampgate.stores.postgres_address import HostNames, PostgresAddress

NAMES = {"db": ["10.0.0.1", "fd00::1"], "other": ["10.0.0.2"], "localhost": ["127.0.0.1"]}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)


def parameters(dsn: str, rotation: int = 0) -> dict[str, str]:
    told: list[Any] = []
    found = PostgresAddress(dsn).parameters(lambda name: succeed(NAMES.get(name, [])), rotation)
    Deferred.fromCoroutine(found).addBoth(told.append)
    if isinstance(told[0], dict):
        return told[0]
    raise told[0].value


def target(dsn: str, rotation: int = 0) -> tuple[str | None, ...]:
    given = parameters(dsn, rotation)
    return tuple(given.get(key) for key in ("host", "hostaddr", "port"))


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("host=db port=6000", ("db,db", "10.0.0.1,fd00::1", "6000,6000")),
        ("postgresql://u:p@db/d", ("db,db", "10.0.0.1,fd00::1", ",")),
        ("host=127.0.0.1", ("127.0.0.1", "127.0.0.1", "")),
        ("postgresql://u@[::1]:5433/d", ("::1", "::1", "5433")),
        ("host=db,other port=1,2", ("db,db,other", "10.0.0.1,fd00::1,10.0.0.2", "1,1,2")),
        ("host=db,other port=9", ("db,db,other", "10.0.0.1,fd00::1,10.0.0.2", "9,9,9")),
        ("host=nowhere,other", ("other", "10.0.0.2", "")),
        ("host=/run/postgresql port=5", ("/run/postgresql", "", "5")),
        ("host=@abstract,other", ("@abstract,other", ",10.0.0.2", ",")),
        ("dbname=d", (None, None, None)),
        ("host=db hostaddr=1.2.3.4", ("db", "1.2.3.4", None)),
        ("service=production host=db", ("db", None, None)),
    ],
)
def test_libpq_has_nothing_left_to_resolve(dsn: str, expected: tuple[str | None, ...]) -> None:
    assert target(dsn) == expected


def test_the_next_attempt_begins_with_the_next_address() -> None:
    dsn = "host=db,other port=1,2"
    starts = [
        (hosts or "").split(",")[0] + (addresses or "").split(",")[0]
        for hosts, addresses, _ in (target(dsn, n) for n in range(4))
    ]
    assert starts == ["db10.0.0.1", "dbfd00::1", "other10.0.0.2", "db10.0.0.1"]


def test_the_environment_names_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db")
    monkeypatch.setenv("PGPORT", "77")
    assert target("dbname=d") == ("db,db", "10.0.0.1,fd00::1", "77,77")


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(LookupError, match="host name nowhere can't be resolved"):
        target("host=nowhere")


def test_what_is_given_goes_to_libpq_and_wins() -> None:
    given = parameters("host=other sslmode=verify-full application_name=mine gssencmode=prefer password=p")
    assert given["sslmode"] == "verify-full"
    assert given["application_name"] == "mine"
    assert given["gssencmode"] == "prefer"
    assert given["password"] == "p"
    assert parameters("host=other")["gssencmode"] == "disable"


@pytest.mark.parametrize(
    "dsn",
    [
        "canary",
        "host=db password='canary",
        "postgresql://u:canary@db:port/d%zz",
        "postgresql://u:pass@canary@db/d",
        "host=a,b,c port=1,2 password=canary",
        "host=db password=canary\x00",
        "host=db password=canary\ud800",
        "host=db no_such_key=canary",
    ],
)
def test_a_bad_dsn_is_refused_without_repeating_it(dsn: str) -> None:
    with pytest.raises(ValueError, match="Postgres DSN") as refused:
        PostgresAddress(dsn)
    assert "canary" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_texts_about_it_hold_no_secret() -> None:
    address = PostgresAddress("postgresql://u:c%40nary@db:6000/shop?sslpassword=hush")
    assert str(address) == "db:6000/shop"
    assert repr(address) == "<PostgresAddress db:6000/shop>"
    assert str(PostgresAddress("")) == "(default):5432/(default)"
    assert address.redacted('FATAL: "c@nary"\n\tc%40nary\x1b[31m hush') == 'FATAL: "***" *** [31m ***'


class Resolver:
    """A resolver whose answers the test gives."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, str]] = []
        self.nameResolver = self

    def resolveHostName(self, receiver: Any, name: str) -> None:  # noqa: N802 - Twisted's name
        receiver.resolutionBegan(None)
        self.asked.append((receiver, name))


def test_one_resolution_of_a_name_at_a_time() -> None:
    resolver: Any = Resolver()
    names = HostNames(resolver)
    told: list[list[str]] = []
    for name in ("db", "db", "other", "db"):
        names.addresses_of(name).addCallback(told.append)
    assert [name for _, name in resolver.asked] == ["db", "other"]
    receiver = resolver.asked[0][0]
    for address in (IPv4Address("TCP", "10.0.0.1", 0), IPv6Address("TCP", "::1", 0), IPv4Address("TCP", "10.0.0.1", 0)):
        receiver.addressResolved(address)
    receiver.addressResolved(UNIXAddress(b"/x"))
    receiver.resolutionComplete()
    assert told == [["10.0.0.1", "::1"]] * 3
    names.addresses_of("db")
    assert len(resolver.asked) == 3
