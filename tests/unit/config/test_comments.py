"""Comments and trailing commas in router.json: read as if they were not there, and never in the way of a text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wampgate.config.comments import without_comments

if TYPE_CHECKING:
    from collections.abc import Callable

TEXTS = st.text(alphabet=st.sampled_from('ab"\\/*,]}[{:\n #é'), max_size=20)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)

COMMENTED = """// what it is for
{
  "$schema": "./router.schema.json",  // for editors
  "realms": [
    {
      "name": "realm1", /* a name // in two
      lines, with "quotes" */
      "authentication": {"anonymous": {"role": "guest",},},
    },
  ],
}
"""


def test_a_commented_file_loads(load_document: Callable[..., Any]) -> None:
    (realm,) = load_document(COMMENTED).realms
    assert (realm.name, realm.authentication.anonymous.role) == ("realm1", "guest")


@given(DOCUMENTS)
def test_json_without_comments_stays_as_it_is(document: object) -> None:
    for indent in (None, 2):
        text = json.dumps(document, indent=indent)
        assert without_comments(text) == text


@given(DOCUMENTS, st.lists(st.sampled_from(["// x\n", '/* , ] " */', "/**/", '// "\n']), min_size=1, max_size=3))
def test_comments_between_tokens_change_nothing(document: object, comments: list[str]) -> None:
    text = json.dumps(document, indent=1)
    commented = "".join(comments) + text.replace("\n", "".join(comments) + "\n") + comments[0]
    assert json.loads(without_comments(commented)) == document
    assert len(without_comments(commented)) == len(commented)


@given(st.lists(DOCUMENTS, min_size=1, max_size=3))
def test_a_trailing_comma_changes_nothing(documents: list[object]) -> None:
    text = ",\n".join(json.dumps(document) for document in documents)
    assert json.loads(without_comments(f"[{text} , // last\n]")) == documents


@pytest.mark.parametrize(
    "text", ["[,]", "{,}", '{"a":,}', "[1,,]", "[1,,2]", ",", '["a" "b",]', '{"a": 1,, }', '["a', "/*", "/"]
)
def test_what_is_no_json_stays_none(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        json.loads(without_comments(text))


def test_a_fault_is_named_in_its_own_line(faults: Callable[[str], list[str]]) -> None:
    (line,) = faults('{\n  // one\n  /* two\n  three */ "realms": nothing\n}')
    assert "line 4, column 22: expected JSON" in line


def test_the_schema_is_named_by_a_text_at_the_top_only(faults: Callable[[Any], list[str]]) -> None:
    realm = {"name": "realm1", "authentication": {"anonymous": {}}}
    assert "$schema" in faults({"$schema": 1, "realms": [realm]})[0]
    assert "$schema" in faults({"realms": [realm | {"$schema": "x"}]})[0]


def test_a_long_text_takes_no_long_time() -> None:
    text = '"' + "\\\\" * 200_000 + " " * 200_000
    assert without_comments(text) == text
    assert without_comments("," * 100_000 + "]") == "," * 100_000 + "]"
