"""`make bench-pipeline`: the whole way of a comment, under kill -9, under load, and at rest.

The last line is one JSON object with the figures. `--quick` runs a tenth of it, to see that it works.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bot.store.ledger import sqlite_url
from tests import postgres
from tests.bench.crash import Tally, crash_runs
from tests.bench.footprint import claims_at, install_size, service_cost
from tests.bench.load import reply_p95_s, throughput

Figures = dict[str, float | int | None]

TARGETS: dict[str, str] = {
    "crash_runs": "200",
    "crash_lost": "0",
    "crash_double": "0",
    "crash_lost_pg": "0",
    "crash_double_pg": "0",
    "comments_per_s": ">= 150",
    "reply_p95_s": "< 2",
    "rss_mb": "< 200",
    "idle_cpu_pct": "< 2",
    "claim_ms_1m": "< 10",
    "install_mb": "<= 250",
    "install_packages": "<= 75",
}


def main() -> None:
    options = _options()
    share = 10 if options.quick else 1
    figures: Figures = {}
    for part in options.only or ("crash", "crash-pg", "load", "latency", "rest", "claims", "install"):
        _say(f"{part} ...")
        started = time.monotonic()
        figures |= PARTS[part](share)
        _say(f"{part}: {time.monotonic() - started:.0f} s")
    _table(figures)
    print(json.dumps(figures))


def crash(share: int) -> Figures:
    tally = crash_runs(200 // share, progress=_progress)
    return {
        "crash_runs": tally.kills,
        "crash_lost": tally.lost + tally.stuck,
        "crash_double": tally.double,
        "crash_wrong": tally.wrong,
        "crash_comments": sum(tally.states.values()),
        "crash_failed": tally.states["failed"] + tally.states["review"],
    }


def crash_postgres(share: int) -> Figures:
    if postgres.binaries() is None:
        _say("PostgreSQL's server is not installed (Debian: postgresql); its figures are null")
        return {"crash_lost_pg": None, "crash_double_pg": None}
    with postgres.cluster() as server:
        tally = crash_runs(
            200 // share,
            processes=4,
            new_database=lambda _: postgres.create_database(server),
            seed=2,
            progress=_progress,
        )
    return {
        "crash_runs_pg": tally.kills,
        "crash_lost_pg": tally.lost + tally.stuck,
        "crash_double_pg": tally.double,
        "crash_wrong_pg": tally.wrong,
    }


def load(share: int) -> Figures:
    return {"comments_per_s": round(throughput(6000 // share), 1)}


def latency(share: int) -> Figures:
    return {"reply_p95_s": round(reply_p95_s(300 // share), 3)}


def rest(share: int) -> Figures:
    memory, idle = service_cost(100_000 // share, idle_s=60 / share)
    return {"rss_mb": round(memory, 1), "idle_cpu_pct": round(idle, 2)}


def claims(share: int) -> Figures:
    rows = 1_000_000 // share
    with tempfile.TemporaryDirectory(prefix="rejoinder-claims-") as name:
        folder = Path(name)
        found: Figures = {"claim_ms_1m": round(claims_at(sqlite_url(folder / "ledger.db"), rows, folder), 2)}
        if postgres.binaries() is not None:
            with postgres.cluster() as server:
                found["claim_ms_1m_pg"] = round(claims_at(postgres.create_database(server), rows, folder), 2)
    return found


def install(share: int) -> Figures:
    size, packages = install_size()
    return {"install_mb": round(size, 1), "install_packages": packages}


PARTS: dict[str, Callable[[int], Figures]] = {
    "crash": crash,
    "crash-pg": crash_postgres,
    "load": load,
    "latency": latency,
    "rest": rest,
    "claims": claims,
    "install": install,
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="these parts alone")
    return parser.parse_args()


def _progress(tally: Tally) -> None:
    _say(
        f"  {tally.kills} kills, {tally.runs} runs: lost {tally.lost + tally.stuck}, "
        f"double {tally.double}, wrong {tally.wrong}"
    )


def _table(figures: Figures) -> None:
    cores, (one, _, _) = os.cpu_count(), os.getloadavg()
    print(f"\n{platform.machine()}, {cores} cores, Python {platform.python_version()}, load {one:.1f}\n")
    for name, value in figures.items():
        print(f"  {name:<18} {value!s:>10}   {TARGETS.get(name, '')}")
    print()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
