"""The C programs are built as for the unit tests of the benchmarks."""

from unit.benchmarks.conftest import built  # noqa: F401 - a fixture that runs by itself
