"""kill -9 in the middle of the work, in short form; `make bench-pipeline` does it two hundred times."""

from tests import postgres
from tests.bench.crash import crash_runs


def test_nothing_is_lost_or_answered_twice_when_killed_on_sqlite() -> None:
    tally = crash_runs(6, comments=80, seed=7)
    assert (tally.lost, tally.double, tally.wrong, tally.stuck) == (0, 0, 0, 0)
    assert tally.states["sent"] > 0
    assert sum(tally.states.values()) == 80 * tally.runs


def test_nothing_is_lost_or_answered_twice_by_four_processes_on_postgresql(postgres_server: str) -> None:
    tally = crash_runs(
        6, comments=80, processes=4, new_database=lambda _: postgres.create_database(postgres_server), seed=8
    )
    assert (tally.lost, tally.double, tally.wrong, tally.stuck) == (0, 0, 0, 0)
    assert tally.states["sent"] > 0
    assert sum(tally.states.values()) == 80 * tally.runs
