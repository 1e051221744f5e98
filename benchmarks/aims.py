"""What a figure is to reach: at most a number, or at most so many times what another has in the same run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from benchmarks.measuring import Measured, Spread
    from benchmarks.scenarios import Figure

BEST_PEER: Final = "the best peer"
"""Instead of a server's name: whichever peer's median is the least in this run."""

State = Literal["reached", "MISSED", "not measured"]


@dataclass(frozen=True, slots=True)
class Aim:
    """The most that a figure may be.

    Attributes:
        most: in the figure's unit, or as a multiple of another's figure.
        of: whose: a server, with its variant behind a space if the scenario has variants; ``BEST_PEER``;
            empty for the figure itself.
        wish: whether it is aimed at beyond what must be reached.
    """

    most: float
    of: str = ""
    wish: bool = False

    def text(self, unit: str) -> str:
        """The aim in words."""
        most = f"{self.most:g} times {self.of}" if self.of else f"{self.most:g} {unit}"
        return f"{'wished for: ' if self.wish else ''}≤ {most}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an aim.

    Attributes:
        aim: which.
        figure: of which figure.
        contestant: whose.
        against: whom it was compared with; empty for nobody.
        found: what must not exceed the aim; None if it could not be measured.
    """

    aim: Aim
    figure: Figure
    contestant: str
    against: str
    found: Spread | None

    @property
    def state(self) -> State:
        """Judged by the median."""
        if self.found is None:
            return "not measured"
        return "reached" if self.found.median <= self.aim.most else "MISSED"


def verdicts(measured: Measured, product: str) -> list[Verdict]:
    """What became of all aims of a scenario.

    Args:
        measured: the scenario's runs.
        product: the server that the aims are for.
    """
    return [
        _verdict(measured, contestant, figure, aim)
        for figure in measured.scenario.figures
        for aim in figure.aims
        for contestant in measured.of_server(product)
        if contestant != aim.of
    ]


def _verdict(measured: Measured, contestant: str, figure: Figure, aim: Aim) -> Verdict:
    against = measured.best_peer(figure) if aim.of == BEST_PEER else aim.of
    if not aim.of:
        found = measured.spread(contestant, figure)
    else:
        found = measured.ratio(contestant, against, figure) if against in measured.outcomes else None
    return Verdict(aim, figure, contestant, against, found)
