"""Delays grow to a limit, and two who fail together do not try again together."""

from __future__ import annotations

from wampgate.stores.backoff import delay_after


def test_none_at_first_then_doubling_up_to_the_longest() -> None:
    assert delay_after(0, 1.0) == 0.0
    for failures, expected in ((1, 0.05), (2, 0.1), (3, 0.2), (6, 1.0), (1000, 1.0)):
        delays = {delay_after(failures, 1.0) for _ in range(50)}
        assert len(delays) > 1
        assert all(0.75 * expected <= delay <= expected for delay in delays)
