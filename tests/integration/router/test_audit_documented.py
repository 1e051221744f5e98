"""What docs/logs.md and docs/audit.md say: their tables are whole, their samples and commands are those of a router."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from conftest import ticket_of
from integration.admin.operators import ENDPOINT, admin_port
from integration.router.administered import administered, wait_for_entry
from integration.router.test_logs import LINE
from raw_wamp import Aborted, Peer, WampError
from router_process import RouterProcess

from wampgate.observation.audit import EVENTS, Audit
from wampgate.observation.log_levels import DEFAULTS
from wampgate.observation.usage import COLUMNS
from wampgate.procedures.audited import ACTS

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS: Final = Path(__file__).parents[3] / "docs"
LOGS: Final = (DOCS / "logs.md").read_text()
AUDIT: Final = (DOCS / "audit.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def first_cells(text: str, heading: str) -> list[str]:
    """The names in the first column of the table that begins with a heading."""
    table = text.partition(f"| {heading} |")[2].partition("\n\n")[0]
    rows = table.split("\n")[2:]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split(" | ")[0])]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RouterProcess]:
    """A router that has seen most of what there is to see."""
    configuration = administered(log={"format": "json"}, audit={"file": "audit.jsonl"}, admin={"endpoint": ENDPOINT})
    with RouterProcess(configuration) as process:
        for _ in range(3):
            with Peer(process.port) as peer, pytest.raises(Aborted):
                peer.join("wrong")
        with Peer(process.port).join(ticket_of("alice")) as alice, Peer(process.port).join(ticket_of("olga")) as olga:
            with pytest.raises(WampError):
                alice.subscribe("organization.9")
            assert olga.call("wampgate.sessions.kill", [], {"authid": "alice", "reason": "com.example.why"}) == 1
            olga.call("wampgate.log.levels")
            wait_for_entry(process.folder / "audit.jsonl", event="look")
        shutil.copy(process.folder / "output.log", process.folder / "wampgate.log")
        yield process


def run(command: str, process: RouterProcess) -> str:
    if shutil.which("jq") is None:
        pytest.skip("THE COMMANDS OF docs/logs.md AND docs/audit.md WERE NOT RUN: there is no jq")
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", command],
        cwd=process.folder, capture_output=True, text=True, check=True, timeout=30,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "TOKEN": ticket_of("olga")},
    )  # fmt: skip
    return done.stdout


def test_the_commands_on_the_log(lived: RouterProcess) -> None:
    refused, alarms = blocks(LOGS, "sh")
    assert run(refused, lived).split() == ["1", "alice", "subscribe", "organization.9:", "no", "rule", "allows", "it"]
    assert run(alarms, lived) == ""


def test_the_commands_on_the_audit_log(lived: RouterProcess) -> None:
    killed, logins, addresses, usage = blocks(AUDIT, "sh")
    assert re.fullmatch(
        r"\S+Z 'olga' \(operator\) ended alice \(127\.0\.0\.1:\d+\): com\.example\.why\n", run(killed, lived)
    )
    assert re.fullmatch(r"\S+Z 127\.0\.0\.1:\d+ by ticket\n", run(logins, lived))
    assert run(addresses, lived) == "3 127.0.0.1\n"
    assert run(usage.replace("8081", str(admin_port(lived))), lived).splitlines() == [f"since,{','.join(COLUMNS)}"]


def test_the_samples_are_lines_as_they_are_written(lived: RouterProcess) -> None:
    text = [line for block in blocks(LOGS, "text") for line in block.splitlines() if not line.startswith("{")]
    assert len(text) > 5
    for line in text:
        found = LINE.match(line)
        assert found, line
        assert found[2] in DEFAULTS
    (sample,) = (line for block in blocks(LOGS, "text") for line in block.splitlines() if line.startswith("{"))
    written = [json.loads(line) for line in lived.log().splitlines() if '"refused"' in line]
    assert [list(record) for record in written] == [list(json.loads(sample))]


def test_the_parts_stand_there_with_their_defaults() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", LOGS, re.MULTILINE)
    assert dict(rows) == dict(DEFAULTS)


def test_every_event_and_every_field_stands_there(lived: RouterProcess) -> None:
    assert set(first_cells(AUDIT, "event")) == EVENTS
    documented = set(first_cells(AUDIT, "field"))
    written = [json.loads(line) for line in (lived.folder / "audit.jsonl").read_text().splitlines()]
    assert {name for entry in written for name in entry} <= documented
    from wampgate.observation import audit

    assert set(audit._FIELDS) <= documented
    assert documented - set(audit._FIELDS) <= {
        *("time", "event", "realm", "session", "authid", "authrole", "authmethod", "peer", "authprovider", "token"),
        *("http", "changed", "problems", "count", "since"),
    }
    assert Audit().kept == 0


def test_the_procedures_that_act_and_the_columns_of_usage_stand_there() -> None:
    for procedure in ACTS:
        assert f"`{procedure}`" in AUDIT or procedure.startswith("wamp.session.kill_"), procedure
    assert first_cells(AUDIT.partition("## Usage")[2], "field") == list(COLUMNS)
