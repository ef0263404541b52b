"""A goal and what was measured of it."""

from statistics import median

import msgspec

from bench.report.ratios import Values


class Goal(msgspec.Struct, frozen=True):
    """`figure` shall be at most `bound`. `measured`: least, median and most over the rounds; None if it was not."""

    figure: str
    bound: float
    unit: str
    measured: tuple[float, float, float] | None

    @property
    def met(self) -> bool | None:
        """Whether it is met; None if it was not measured."""
        return None if self.measured is None else self.measured[1] <= self.bound


def make_goal(figure: str, bound: float, unit: str, measured: Values) -> Goal:
    """Return a goal, with the values of its figure in each round."""
    known = [number for number in measured if number is not None]
    spread = (round(min(known), 3), round(median(known), 3), round(max(known), 3)) if known else None
    return Goal(figure, round(bound, 2), unit, spread)
