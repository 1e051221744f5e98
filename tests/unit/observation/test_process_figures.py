"""The process's figures are those that the system and prometheus_client's own collector tell."""

from __future__ import annotations

import os

import pytest
from prometheus_client.process_collector import ProcessCollector

from wampgate.observation.process_figures import ProcessFigures


def figures(collector: ProcessFigures | ProcessCollector) -> dict[str, float]:
    return {sample.name: sample.value for metric in collector.collect() for sample in metric.samples}


def test_they_are_those_of_the_library() -> None:
    theirs, ours = figures(ProcessCollector(registry=None)), figures(ProcessFigures())
    assert set(ours) == set(theirs)
    for name in set(theirs) - {"process_open_fds"}:
        assert ours[name] == pytest.approx(theirs[name], rel=0.05, abs=0.1), name


def test_descriptors_are_counted_as_they_come_and_go() -> None:
    before = figures(ProcessFigures())["process_open_fds"]
    pipes = [os.pipe() for _ in range(5)]
    assert figures(ProcessFigures())["process_open_fds"] == before + 10
    for pipe in pipes:
        for descriptor in pipe:
            os.close(descriptor)
    assert figures(ProcessFigures())["process_open_fds"] == before
