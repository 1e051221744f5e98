"""Mutations of what guards the logs and the audit log: forged lines, floods, full disks, secrets among arguments."""

from __future__ import annotations

from typing import Final

from .mutation import Mutation, without

INJECTION: Final = "log injection"
FILLED: Final = "an audit log that is filled until what matters is pushed out, or its disk is full"
DISK: Final = "an audit log whose disk is full or hangs"
ARGUMENTS: Final = "secrets among the arguments of administrative calls"

_AUDIT: Final = "observation/audit.py"

MUTATIONS: Final[tuple[Mutation, ...]] = (
    without(
        INJECTION,
        "escaping the whole line once more",
        "observation/log_forms.py",
        "lines = [printable(line) for line in",
        "lines = [line for line in",
        "test_log_lines_written.py::test_nobody_writes_a_line_of_its_own",
    ),
    without(
        INJECTION,
        "escaping what is audited",
        _AUDIT,
        "    return printable(clipped(str(value)))\n",
        "    return str(value)\n",
        "test_audit_kept.py::test_texts_of_clients_are_short_and_printable",
    ),
    without(
        FILLED,
        "counting what is alike",
        "observation/thrift.py",
        "            if kept.get(key, 0) >= bound:\n",
        "            if False:\n",
        "test_audit_kept.py::test_of_what_is_alike_a_few_and_then_a_count",
        "test_audit_kept.py::test_of_one_session_so_many_whatever_it_asks",
        "test_audit_kept.py::test_of_all_addresses_together_so_many",
        "test_audit.py::test_of_a_flood_a_few_and_a_count_are_kept_and_nothing_is_lost_in_silence",
    ),
    without(
        FILLED,
        "remembering what seldom happens apart",
        _AUDIT,
        '        (self._routine if entry["event"] in _ROUTINE else self._rare).append(entry)\n',
        "        self._rare.append(entry)\n",
        "test_audit_kept.py::test_the_memory_is_bounded_and_what_happens_often_does_not_push_out_what_seldom_does",
    ),
    without(
        FILLED,
        "clipping what is remembered of a flood",
        _AUDIT,
        '        what = " ".join(clipped(str(fields[field])) for',
        '        what = " ".join(str(fields[field]) for',
        "test_audit_kept.py::test_what_is_remembered_of_a_flood_is_small_however_long_its_texts_are",
    ),
    without(
        DISK,
        "a bound for what waits",
        "observation/audit_file.py",
        "            if len(self._queue) >= QUEUED:\n",
        "            if False:\n",
        "test_audit_kept.py::test_what_fails_is_written_later_and_what_no_longer_waits_is_counted_in_the_file",
    ),
    without(
        DISK,
        "telling of a failure",
        "observation/audit_file.py",
        "            self._tell(error.strerror or type(error).__name__)\n",
        "            pass\n",
        "test_audit.py::test_a_disk_that_takes_nothing_stops_nobody_and_is_told",
    ),
    without(
        ARGUMENTS,
        "hiding values that are no names",
        "procedures/audited.py",
        "    if name in _SHOWN and isinstance(value, str | int):\n",
        "    if isinstance(value, str | int):\n",
        "test_audit_kept.py::test_values_are_told_of_persons_and_things_only",
    ),
)
