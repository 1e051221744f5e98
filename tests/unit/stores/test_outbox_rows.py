"""What becomes of an outbox's row: args and kwargs, or the reason why it can't be published; never anything else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wampgate.stores.outbox_rights import grants
from wampgate.stores.outbox_rows import Poison, Row
from wampgate.stores.preparing import statements
from wampgate.wire.messages import MAX_ID
from wampgate.wire.payload import Payload
from wampgate.wire.serializers import SERIALIZERS

TOP = Path(__file__).parents[3]


def row(topic: str = "a.b", args: str | None = "[]", kwargs: str | None = "{}", publication: int = 1) -> Row:
    return Row(1, 1, publication, topic, args, kwargs, 0.0)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(args=st.lists(VALUES), kwargs=st.dictionaries(st.text(), VALUES))
def test_what_json_holds_reaches_every_serializer(args: list[Any], kwargs: dict[str, Any]) -> None:
    got_args, got_kwargs = row(args=json.dumps(args), kwargs=json.dumps(kwargs)).payload()
    assert (got_args, got_kwargs) == (args, kwargs)
    for serializer in SERIALIZERS:
        assert isinstance(Payload(got_args, got_kwargs).parts(serializer), tuple)


@given(topic=st.text(), args=st.text() | st.none(), kwargs=st.text() | st.none(), publication=st.integers())
def test_anything_else_is_poison(topic: str, args: str | None, kwargs: str | None, publication: int) -> None:
    try:
        values = row(topic, args, kwargs, publication).payload()
    except Poison:
        return
    assert isinstance(values[0], list)
    assert isinstance(values[1], dict)


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (row("a" * 1025), "bad_topic"),
        (row("a b"), "bad_topic"),
        (row("a.\n"), "bad_topic"),
        (row(publication=0), "bad_publication"),
        (row(publication=MAX_ID + 1), "bad_publication"),
        (row(args=None), "too_large"),
        (row(args="{}"), "bad_args"),
        (row(args='"a"'), "bad_args"),
        (row(kwargs="[]"), "bad_kwargs"),
        (row(args="[" + "1" * 5000 + "]"), "bad_number"),
        (row(args="[" * 65 + "]" * 65), "too_deep"),
        (row(args="[" * 50_000 + "]" * 50_000), "too_deep"),
        (row(args="[" + "{}," * 100_000 + "1]"), "too_many_values"),
    ],
)
def test_poison(made: Row, kind: str) -> None:
    with pytest.raises(Poison) as caught:
        made.payload()
    assert caught.value.kind == kind
    assert len(caught.value.reason) < 100


def test_every_statement_is_named_and_explained() -> None:
    made = statements("outbox")
    assert [one.name for one in made if one.what == "TABLE"] == [
        *("wampgate_outbox", "wampgate_outbox_state", "wampgate_outbox_nodes", "wampgate_outbox_dead")
    ]
    for one in made:
        assert one.explanation.endswith(".")
        if one.what == "TABLE":
            for line in one.sql.splitlines()[1:-1]:
                assert re.search(r"-- \w{2,}", line), line


def test_the_grants_name_the_roles() -> None:
    text = grants("router_role", "backend_role")
    assert text.count("TO router_role;") == 4
    assert text.count("TO backend_role;") == 1
    assert "{" not in text


def test_the_documentation_names_every_counter_and_no_other() -> None:
    source = "".join(path.read_text() for path in sorted((TOP / "wampgate/stores").glob("outbox*.py")))
    counted = set(re.findall(r'(?:Poison\(|counters\[)\s*"(\w+)"', source))
    table = (TOP / "docs/outbox.md").read_text().partition("| counter |")[2].partition("\n\n")[0].splitlines()[2:]
    documented = {name for line in table for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert counted == documented
    assert len(counted) > 15
