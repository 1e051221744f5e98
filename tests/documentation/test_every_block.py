"""No block of the documentation is neither run nor excused."""

from __future__ import annotations

import re

from documentation.blocks import TOP, all_blocks, pages
from documentation.elsewhere import ELSEWHERE, run_elsewhere

RUN_BY: dict[str, str] = {
    "json": "test_configuration_blocks.py",
    "sql": "test_sql_blocks.py",
    "sh": "test_shell_blocks.py",
    "redis": "test_redis_blocks.py",
    "bash": "test_shell_blocks.py",
    "python": "test_client_blocks.py",
    "js": "test_client_blocks.py",
    "javascript": "test_client_blocks.py",
    "html": "test_page_blocks.py",
    "php": "test_php_blocks.py",
    "nginx": "test_nginx_blocks.py",
    "yaml": "test_yaml_blocks.py",
    "ini": "test_system_blocks.py",
}
"""The test beside this one that runs all blocks of a language."""


def test_every_block_is_run_or_excused() -> None:
    """Give a block a language of the table above; or name who runs it in elsewhere.py; or say why nobody does.

    A reason stands in the page, on the line before the block: ``<!-- not run: … -->``.
    """
    alone = [
        f"{block.where}: ```{block.language}"
        for block in all_blocks()
        if block.language not in RUN_BY and run_elsewhere(block) is None and block.excuse is None
    ]
    assert alone == []


def test_there_are_many_and_few_are_excused() -> None:
    blocks = list(all_blocks())
    assert len(blocks) > 120
    assert len([block for block in blocks if block.excuse]) < len(blocks) / 8


def test_whoever_runs_a_page_names_it() -> None:
    for (page, _), test in ELSEWHERE.items():
        assert page.rpartition("/")[2] in (TOP / test).read_text(), (page, test)
    for test in RUN_BY.values():
        assert (TOP / "tests/documentation" / test).is_file(), test


def test_code_is_fenced() -> None:
    """An indented block has no language: who would know how to run it."""
    for page in pages():
        text = re.sub(
            r"^( *)(`{3,})[^\n]*\n.*?^\1\2`*[ ]*$", "", (TOP / page).read_text(), flags=re.MULTILINE | re.DOTALL
        )
        for paragraph in re.split(r"\n\s*\n", text):
            assert not re.match(r" {4,}[^ *\d-]", paragraph), f"{page}: {paragraph}"
