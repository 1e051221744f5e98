"""Which blocks other tests run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from documentation.blocks import all_blocks

if TYPE_CHECKING:
    from documentation.blocks import Block

ELSEWHERE: Final = {
    ("docs/audit.md", "sh"): "tests/integration/router/test_audit_documented.py",
    ("docs/logs.md", "sh"): "tests/integration/router/test_audit_documented.py",
    ("docs/logs.md", "text"): "tests/integration/router/test_audit_documented.py",
    ("docs/clients.md", ""): "tests/clients/staying/test_clients_documented.py",
    ("docs/dialects.md", "json"): "tests/unit/bridge/test_documented.py",
    ("docs/http.md", ""): "tests/integration/http/test_http_documented.py",
    ("docs/migrating-from-crossbar.md", "javascript"): "tests/unit/config/test_migration_documented.py",
    ("docs/migrating-from-crossbar.md", "json"): "tests/unit/config/test_migration_documented.py",
    ("docs/outbox.md", "sql"): "tests/integration/outbox/test_outbox_commands.py",
    ("docs/reference/commands.md", "text"): "tests/documentation/test_command_examples.py",
    ("docs/reference/configuration.md", "json"): "tests/documentation/test_generated.py",
    ("docs/tutorial.md", ""): "tests/documentation/test_tutorial.py",
}
"""By page and language ("" for all of the page): the test file, which names the page."""


def run_elsewhere(block: Block) -> str | None:
    """The test file that runs it; None if there is none."""
    return ELSEWHERE.get((block.page, "")) or ELSEWHERE.get((block.page, block.language))


def left(*languages: str) -> list[Block]:
    """The blocks of these languages that are to be run, and that nobody else runs."""
    return [
        block
        for block in all_blocks()
        if block.language in languages and run_elsewhere(block) is None and block.excuse is None
    ]
