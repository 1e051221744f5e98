"""The command line as a whole: help without loading anything, mistakes in one line, exit statuses, completion."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import click
import pytest

from wampgate import __version__
from wampgate.commands.app import PLACE_BY_NAME, SECTIONS, commands, load, main, reference

if TYPE_CHECKING:
    from pathlib import Path

WAMPGATE = (sys.executable, "-m", "wampgate")


def run(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*WAMPGATE, *arguments], capture_output=True, text=True, timeout=60, check=False, **more)


@pytest.mark.parametrize("name", PLACE_BY_NAME)
def test_the_help_says_of_each_command_what_it_says_of_itself(name: str) -> None:
    place = PLACE_BY_NAME[name]
    own = load(place).get_short_help_str(limit=200)
    if name != place.module:
        own = f"{own.rstrip('.')}; the same as `{place.module}`."
    assert place.help == own


def test_the_help_loads_no_command() -> None:
    program = (
        "import json, sys\nfrom wampgate.commands.app import main\nmain(['--help'])\n"
        "print(json.dumps([name for name in sys.modules if name.startswith(('wampgate', 'twisted', 'msgspec'))]))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    loaded = json.loads(said.splitlines()[-1])
    assert sorted(loaded) == ["wampgate", "wampgate.commands", "wampgate.commands.app", "wampgate.commands.errors"]
    for title, section in SECTIONS.items():
        assert f"\n{title}:\n" in said
        assert all(f"\n  {name} " in said for name in section)


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"wampgate {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chek"], "No such command 'chek'; did you mean check? Try: wampgate --help"),
        (["xyz"], "No such command 'xyz'. Try: wampgate --help"),
        (["check", "--ofline"], "No such option '--ofline'. Did you mean '--offline'? Try: wampgate check --help"),
        (["token", "create"], "Missing option '--user'. Try: wampgate token create --help"),
        (["run", "--port", "many"], "Invalid value for '--port' / '-p': 'many' is not a valid integer. Try:"),
        (["secret", "scram", "--user", "x", "--kdf", "md5"], "'md5' is not one of"),
    ],
)
def test_a_wrong_command_line_is_told_in_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("command", ["check", "init", "token list", "member list", "config show"])
def test_a_file_that_is_not_there_is_told_in_one_line(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(command.split()) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("router.json: no such file; ")
    assert printed.err.count("\n") == 1
    assert printed.out == ""


def test_who_has_seen_enough_gets_no_complaint() -> None:
    done = subprocess.run(
        f"'{sys.executable}' -m wampgate config schema | head -1",
        shell=True, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "{\n"
    assert done.stderr == ""


def test_an_interruption_ends_quietly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("wampgate.commands.config.loaded", interrupt)
    assert main(["config", "show"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_every_option_is_explained() -> None:
    silent = [
        f"{name} {parameter.name}"
        for name, command in commands()
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.help
    ]
    assert silent == []


def test_the_reference_holds_all_commands() -> None:
    described = {command["name"]: command for command in reference()}
    assert set(PLACE_BY_NAME) < set(described)
    assert {"token create", "secret scram", "config schema", "member add"} <= set(described)
    create = described["token create"]
    assert create["usage"].startswith("wampgate token create [OPTIONS]")
    expires = next(option for option in create["options"] if "--expires" in option["names"])
    assert expires["default"] == "30d"
    json.dumps(list(described.values()))
    # What a reference makes of the mark that keeps lines is for it to decide.
    assert "\n\n\b\nwampgate top\nwampgate top --once --json" in described["top"]["help"]


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_no_help_shows_a_mark_of_its_layout(name: str) -> None:
    command = dict(commands())[name]
    shown = command.get_help(click.Context(command, info_name=name))
    assert "\b" not in shown
    assert "\\b" not in shown


def test_every_command_that_reads_the_configuration_takes_it_alike() -> None:
    for name, command in commands():
        for option in command.params:
            if "--config" in option.opts and name != "run":
                assert option.opts == ["--config", "-c"], name


# --- completion, by the shells themselves ---

SHELLS = {
    "bash": (
        'source "$1"; COMP_WORDS=(wampgate {words}); COMP_CWORD={last};'
        " _wampgate_completion wampgate; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    ),
    "fish": 'source "$argv[1]"; complete -C "wampgate {words}"',
}


def complete(shell: str, words: str, tmp_path: Path) -> list[str]:
    """What a shell completes the words to."""
    script = tmp_path / "completion"
    script.write_text(run("completion", shell).stdout)
    folder = tmp_path / "bin"
    folder.mkdir(exist_ok=True)
    (folder / "wampgate").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m wampgate "$@"\n')
    (folder / "wampgate").chmod(0o755)
    program = SHELLS[shell].format(words=words, last=max(1, len(words.split(" "))))
    arguments = [shell, "-c", program, *([shell] if shell != "fish" else []), str(script)]
    environ = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    done = subprocess.run(arguments, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [line.split("\t")[0].split(",")[-1] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_a_shell_completes_commands_and_options(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"COMPLETION IN {shell} WAS NOT TRIED: there is no {shell}")
    assert complete(shell, "se", tmp_path) == ["secret", "sessions"]
    assert "--offline" in complete(shell, "check --o", tmp_path)
    assert set(complete(shell, "token ", tmp_path)) == {"create", "list", "revoke"}


def test_zsh_completes_each_time_and_not_only_the_first(tmp_path: Path) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("COMPLETION IN zsh WAS NOT TRIED: there is no zsh")
    (tmp_path / "_wampgate").write_text(run("completion", "zsh").stdout)
    (tmp_path / "wampgate").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m wampgate "$@"\n')
    (tmp_path / "wampgate").chmod(0o755)
    (tmp_path / ".zshrc").write_text("PS1='ready> '\nfpath=(~ $fpath)\nautoload -Uz compinit; compinit -u -D\n")
    path = f"{tmp_path}:{os.environ['PATH']}"
    environ = {"PATH": path, "HOME": str(tmp_path), "ZDOTDIR": str(tmp_path), "TERM": "dumb"}
    with pytest.MonkeyPatch.context() as patched:
        for name, value in environ.items():
            patched.setenv(name, value)
        pid, terminal = pty.fork()
        if pid == 0:
            os.execvp("zsh", ["zsh", "-i"])
    try:
        read_until(terminal, "ready> ")
        for _ in range(3):
            os.write(terminal, b"wampgate check --of\t")
            read_until(terminal, "--offline ")
            # Ctrl-U: the line is empty again.
            os.write(terminal, b"\x15")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


def read_until(terminal: int, text: str, seconds: float = 30.0) -> None:
    shown, deadline = "", time.monotonic() + seconds
    while text not in shown:
        ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"no {text!r} in {shown!r}"
        shown += os.read(terminal, 65536).decode(errors="replace")
