"""What every step is given of the run that it belongs to: its seed, and where to tell how far it is."""

from typing import Protocol


class Run(Protocol):
    """One step's connection to the night. `training.nightly` has the real one; `Quiet` is for a step by itself."""

    @property
    def seed(self) -> int: ...

    def advance(self, done: int, total: int, **figures: float) -> None:
        """`done` of `total` units of the step are done; `figures` are what to plot at this point.

        Raises OutOfBudget: the step stops, and whatever it has saved stays for the next start.
        """
        ...


class Quiet:
    """Tells nobody and never stops."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    @property
    def seed(self) -> int:
        return self._seed

    def advance(self, done: int, total: int, **figures: float) -> None:
        """Nothing to tell."""
