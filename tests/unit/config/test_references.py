"""What ``${NAME}``, ``${file:PATH}`` and ``$${`` become, and what is said if they lead nowhere."""

import pytest

PATH = ("realms", 0, "authentication", "principals", 0, "ticket")


@pytest.fixture
def ticket_of(document, load_document):
    def ticket(text, **environ):
        document["realms"][0]["authentication"]["principals"][0]["ticket"] = text
        return load_document(document, **environ).realms[0].authentication.principals[0].ticket.reveal()

    return ticket


@pytest.fixture
def fault_of(document, faults):
    def fault(text, **environ):
        document["realms"][0]["authentication"]["principals"][0]["ticket"] = text
        (line,) = faults(document, **environ)
        return line.removeprefix("realms[0].authentication.principals[0].ticket: ")

    return fault


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("$", "$"),
        ("$A", "$A"),
        ("{A}", "{A}"),
        ("${A}", "alpha"),
        ("x${A}y${B_2}z", "xalphaybetaz"),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("$${A}${A}", "${A}alpha"),
        ("${NESTED}", "${A}"),
        ("${BRACES}", "}{$"),
    ],
)
def test_references_are_followed(ticket_of, text, value):
    environ = {"A": "alpha", "B_2": "beta", "NESTED": "${A}", "BRACES": "}{$"}
    assert ticket_of(text, **environ) == value


@pytest.mark.parametrize(
    ("content", "value"),
    [("s3cret", "s3cret"), ("s3cret\n", "s3cret"), ("s3cret\r\n", "s3cret"), ("two\nlines\n\n", "two\nlines\n")],
)
def test_files_lose_one_newline(ticket_of, tmp_path, content, value):
    (tmp_path / "ticket").write_text(content, newline="")
    assert ticket_of("${file:ticket}") == value
    assert ticket_of(f"${{file:{tmp_path}/ticket}}") == value


def test_a_file_may_lie_in_a_folder_beside(ticket_of, tmp_path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "my ticket").write_text("inside")
    assert ticket_of("a-${file:secrets/my ticket}-b") == "a-inside-b"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("${ABSENT}", "expected the environment variable ABSENT to be set, got none"),
        ("${EMPTY}", "expected a ticket (text that is not empty), got the value of (hidden)"),
        ("${}", 'expected "${NAME}", "${file:PATH}" or, for a literal "${", "$${", got neither'),
        ("${A", 'expected "${NAME}"'),
        ("${A-B}", 'expected "${NAME}"'),
        ("${file:ticket", 'expected "${NAME}"'),
        ("${file:absent}", 'expected a readable file "absent", got: No such file or directory'),
        ("${file:.}", 'expected a readable file ".", got: Is a directory'),
        ("${file:\0}", r'expected a readable file "\x00", got: not a legal path'),
        ("${file:binary}", 'expected UTF-8 in the file "binary", got other bytes'),
        ("${file:huge}", 'expected at most 65536 bytes in the file "huge", got more'),
        ("${HALF}", "expected a ticket (text that is not empty), got text with a NUL or half of a surrogate pair"),
    ],
)
def test_references_that_lead_nowhere(fault_of, tmp_path, text, fault):
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "huge").write_bytes(b"x" * 65537)
    assert fault_of(text, A="alpha", EMPTY="", HALF="\udcff").startswith(fault)


def test_every_missing_variable_of_one_text_is_named(document, faults):
    document["realms"][0]["store"]["dsn"] = "host=${HOST} user=${USER_NAME} password=${file:absent}"
    assert [line.partition(", got")[0] for line in faults(document)] == [
        "realms[0].store.dsn: expected the environment variable HOST to be set",
        "realms[0].store.dsn: expected the environment variable USER_NAME to be set",
        'realms[0].store.dsn: expected a readable file "absent"',
    ]


def test_references_work_in_every_text(document, load_document):
    document["listen"][0]["endpoint"] = "tcp:${PORT}"
    document["hosts"][0] = "${HOST}"
    document["realms"][0]["store"]["type"] = "${KIND}"
    document["realms"][0]["store"]["token_hash"] = "${HASH}"
    document["realms"][0]["bridges"][0]["rules"][0]["topic"] = "${TOPIC}"
    configuration = load_document(
        document, PORT="9", HOST="a.example", KIND="postgres", HASH="plain", TOPIC="t.{organization}"
    )
    assert configuration.listen[0].endpoint == "tcp:9"
    assert configuration.hosts[0] == "a.example"
    assert configuration.realms[0].bridges[0].rules[0].topic == "t.{organization}"
    assert type(configuration.hosts[0]) is str
