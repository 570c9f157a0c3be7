"""kill -9 at random instants, until every comment has come to an end; then the books are checked."""

import contextlib
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bot.store.ledger import sqlite_url
from tests.bench.rig import (
    FAULTS,
    chance,
    judge,
    make_ledger,
    make_settings,
    start_service,
    start_site,
    unfinished,
)

LONGEST_RUN_S = 120.0
LIVES_S = (0.15, 1.2)  # how long a process lives, at least and at most, before it is killed


@dataclass
class Tally:
    """Sums over all runs."""

    kills: int = 0
    runs: int = 0
    lost: int = 0
    double: int = 0
    wrong: int = 0
    stuck: int = 0
    """Comments that had not come to an end when the time was up."""
    states: Counter[str] = field(default_factory=Counter)


def crash_runs(
    kills: int,
    *,
    comments: int = 300,
    processes: int = 1,
    new_database: Callable[[Path], str] = lambda folder: sqlite_url(folder / "ledger.db"),
    seed: int = 1,
    progress: Callable[[Tally], None] = lambda tally: None,
) -> Tally:
    """Run after run with fresh comments, until `kills` processes were killed in the middle of their work."""
    tally = Tally()
    random = chance(seed)
    while tally.kills < kills:
        with tempfile.TemporaryDirectory(prefix="rejoinder-crash-") as name:
            _one_run(Path(name), tally, kills, comments, processes, new_database, random)
        tally.runs += 1
        progress(tally)
    return tally


def _one_run(folder, tally, kills, comments, processes, new_database, random) -> None:  # type: ignore[no-untyped-def]
    site = start_site(folder, comments, FAULTS, seed=random.randrange(1 << 30))
    url = new_database(folder)
    ledger = make_ledger(url, site, folder / "token")
    settings = make_settings(folder, url)
    ledger.close()  # a child must not inherit an open database
    ends = time.monotonic() + LONGEST_RUN_S
    with _services(settings, processes) as services:
        while time.monotonic() < ends:
            time.sleep(random.uniform(*LIVES_S) / processes)
            if not unfinished(ledger, comments):
                break
            if tally.kills < kills:
                ledger.close()
                _kill_one(services, settings, random)
                tally.kills += 1
    verdict = judge(site, ledger, comments)
    tally.stuck += unfinished(ledger, comments)
    tally.lost, tally.double = tally.lost + verdict.lost, tally.double + verdict.double
    tally.wrong += verdict.wrong
    tally.states.update(verdict.states)
    ledger.engine.dispose()
    site.stop()


@contextlib.contextmanager
def _services(settings, number: int) -> Iterator[list]:  # type: ignore[no-untyped-def, type-arg]
    services = [start_service(settings) for _ in range(number)]
    try:
        yield services
    finally:
        for service in services:
            service.kill()
            service.join()


def _kill_one(services, settings, random) -> None:  # type: ignore[no-untyped-def]
    place = random.randrange(len(services))
    services[place].kill()
    services[place].join()
    services[place] = start_service(settings)
