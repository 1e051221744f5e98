"""Whatever is done to a valid document: it loads, or a ConfigurationError names the key that was touched."""

import copy
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wampgate.config import Configuration, ConfigurationError, Secret, load, redacted
from wampgate.config.errors import dotted
from wampgate.config.reading import read
from wampgate.config.references import References

TAGS = ("type", "dialect")

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(
        ["", "a.b", "x" * 2000, "${", "${A}", "${ABSENT}", "${file:x}", "$${", "\0", "\ud800", "{a}", "%", "wamp."]
    )
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def paths_of(value, at=()):
    """Every place in a document but its top."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*at, key)
        yield from paths_of(inner, (*at, key))


def found(document, path):
    for key in path:
        document = document[key]
    return document


def nearest_key(path):
    return next(key for key in reversed(path) if isinstance(key, str))


def naming(path):
    """Texts of which one has to stand in the error if this place was touched."""
    if path[-1] in TAGS:
        # With another tag the object is read as another kind of section: then its keys are the fault.
        return [nearest_key(path), dotted(path[:-1])]
    return [nearest_key(path)]


@st.composite
def mutations(draw, document):
    """A changed copy of a document, and what an error has to name."""
    document = copy.deepcopy(document)
    path = draw(st.sampled_from(list(paths_of(document))))
    parent, key = found(document, path[:-1]), path[-1]
    kind = draw(st.sampled_from(["replace", "swap", "delete", "add", "repeat"]))
    if kind == "replace":
        parent[key] = draw(values)
    elif kind == "swap":
        parent[key] = copy.deepcopy(found(document, draw(st.sampled_from(list(paths_of(document))))))
    elif kind == "delete":
        del parent[key]
    elif kind == "repeat" and isinstance(parent, list):
        parent.append(parent[key])
    else:
        target, place = (parent[key], path) if isinstance(parent[key], dict) else (document, ())
        name = draw(st.text(max_size=80).filter(lambda text: text not in target))
        target[name] = draw(values)
        return document, [dotted((*place, name))]
    return document, naming(path)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("mutations") / "router.json"


def outcome(file, environ):
    """What comes of a file. Any other exception than ConfigurationError fails the test."""
    try:
        return load(file, environ)
    except ConfigurationError as error:
        return error


@settings(max_examples=6000, deadline=None)
@given(data=st.data())
def test_a_mutated_file_loads_or_names_the_mutated_key(valid, file, data):
    document, names = data.draw(mutations(valid))
    file.write_text(json.dumps(document))
    result = outcome(file, {"A": "alpha"})
    if isinstance(result, Configuration):
        json.dumps(redacted(result))
        return
    assert any(name in str(result) for name in names), str(result)
    for line in str(result).split("\n"):
        assert line.isprintable()
        assert line.startswith(f"{file}: ")


@settings(max_examples=3000, deadline=None)
@given(data=st.data())
def test_several_mutations_at_once_raise_nothing_else(valid, file, data):
    document = valid
    for _ in range(data.draw(st.integers(2, 6))):
        document, _ = data.draw(mutations(document))
    file.write_text(json.dumps(document))
    result = outcome(file, {})
    assert isinstance(result, Configuration) or result.problems


@settings(max_examples=3000, deadline=None)
@given(
    content=st.binary(max_size=60) | st.text(alphabet='{}[]":,\\u0aD8 \n\t1e.-truefalsn', max_size=60).map(str.encode)
)
def test_any_bytes_at_all_raise_nothing_else(file, content):
    file.write_bytes(content)
    with pytest.raises(ConfigurationError):
        load(file, {})


@settings(max_examples=3000, deadline=None)
@given(data=st.data())
def test_what_is_accepted_is_what_msgspec_makes_of_it(valid, data):
    """The walk beside the model and msgspec's own decoder agree, though the walk also knows tests of its own."""
    document, _ = data.draw(mutations(valid))
    if "$" in json.dumps(document):
        return
    folder = Path("/nowhere")
    configuration, problems = read(document, References({}, folder))
    assert (configuration is None) == bool(problems)
    if configuration is not None:
        special = {Secret: Secret, Path: folder.joinpath}
        assert configuration == msgspec.convert(
            document, Configuration, dec_hook=lambda kind, text: special[kind](text)
        )
