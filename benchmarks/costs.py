"""What something costs inside this process, without a server: its rounds, what it is to reach, and their table."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.tables import aligned, short

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Cost:
    """One cost, smaller being better.

    Attributes:
        scenario: its name on the command line.
        what: what costs it.
        unit: of the values.
        values: one for each round.
        most: what the median may be; None for no aim.
        beside: what the values were drawn from or are to be read beside, in the same unit, a number for each round.
    """

    scenario: str
    what: str
    unit: str
    values: tuple[float, ...]
    most: float | None = None
    beside: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def aim(self) -> str:
        """The aim in words; empty for none."""
        return "" if self.most is None else f"≤ {self.most:g} {self.unit}"

    @property
    def state(self) -> str:
        """Whether the aim is reached; empty for none."""
        if self.most is None:
            return ""
        return "reached" if median(self.values) <= self.most else "MISSED"


def table(costs: Iterable[Cost]) -> str:
    """The costs as text, a row each."""
    rows = [["", "unit", "median", "least..greatest", "aim"]]
    for cost in costs:
        spread = f"{short(min(cost.values))}..{short(max(cost.values))}"
        aim = f"{cost.aim}: {cost.state}" if cost.aim else ""
        rows.append([cost.what, cost.unit, short(median(cost.values)), spread, aim])
        for name, values in cost.beside.items():
            rows.append(
                [f"  {name}", cost.unit, short(median(values)), f"{short(min(values))}..{short(max(values))}", ""]
            )
    return "Inside one process, CPU time\n" + aligned(rows)
