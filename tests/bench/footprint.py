"""What the service costs while it runs and before: memory, idle CPU, claims in a large ledger, the install."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles

from sqlalchemy import text
from sqlmodel import Session

from bot.store import drafting, sending
from bot.store.ledger import Ledger, sqlite_url
from tests.bench.rig import TOKEN, Site, make_ledger, start_site, unfinished

ROOT = Path(__file__).parents[2]
TICK = os.sysconf("SC_CLK_TCK")

FILL = """
INSERT INTO comment (channel_id, post_id, platform_id, thread_id, parent_id, extra, author_id, author_name, text, url,
    language, is_own, created_at, ingested_at, updated_at, state, reason, detail, version, attempts, due_at)
SELECT 1, 1, 'old' || n, 'old' || n, NULL, '{{}}', 'fan', 'Fan', 'How long do I roast the beans, number ' || n,
    '', 'en', {false}, :at, :at, :at, CASE WHEN n = n / 50 * 50 THEN 'new' WHEN n - 1 = n / 50 * 50
    THEN 'ready' WHEN n = n / 9 * 9 THEN 'review' WHEN n = n / 4 * 4 THEN 'skipped' ELSE 'sent' END, '', '', 0, 0, {due}
FROM {numbers}
"""


def fill(ledger: Ledger, comments: int) -> None:
    """Put `comments` old comments of every state into the ledger."""
    postgres = ledger.engine.dialect.name == "postgresql"
    numbers = (
        f"generate_series(1, {comments}) AS n"
        if postgres
        else f"(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {comments}) SELECT n FROM c)"
    )
    due = (
        "CAST(:at AS timestamp) + n * interval '1 microsecond'"
        if postgres
        else "strftime('%Y-%m-%d %H:%M:%f', :at, '+' || (n / 1000.0) || ' seconds') || '000'"
    )
    statement = FILL.format(numbers=numbers, false="FALSE" if postgres else "0", due=due)
    at = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%d %H:%M:%S.%f")

    def work(session: Session) -> None:
        connection = session.connection()
        connection.execute(
            text(
                "INSERT INTO post (id, channel_id, platform_id, title, text, url) VALUES (1, 1, 'old', 'Old', '', '')"
            )
        )
        value = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=1) if postgres else at
        connection.execute(text(statement), {"at": value})

    ledger.write(work)
    with ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def claim_p95_ms(ledger: Ledger, rounds: int = 200) -> float:
    """95th percentile of the time for one claim, of new comments and of ready ones in turn."""
    now, lease = datetime.now(UTC), timedelta(minutes=5)
    times = []
    for index in range(rounds):
        started = time.perf_counter()
        if index % 2:
            got = len(ledger.write(drafting.claim_new, owner="bench", now=now, lease=lease, limit=8))
        else:
            got = len(
                ledger.write(
                    sending.claim_ready, channel_id=1, owner="bench", now=now, lease=lease, limit=8,
                    gap=timedelta(0), max_per_hour=None,
                )
            )  # fmt: skip
        times.append((time.perf_counter() - started) * 1000)
        if got != 8 and index % 2:
            raise SystemExit(f"claim {index} found {got} of 8 comments: the benchmark measures nothing")
    return quantiles(times, n=20)[-1]


def claims_at(url: str, comments: int, folder: Path) -> float:
    """Fill an empty database and time the claims on it, in milliseconds."""
    site = Site(folder / "none.db", "http://127.0.0.1:9", None)  # type: ignore[arg-type]
    ledger = make_ledger(url, site, folder / "token")
    fill(ledger, comments)
    found = claim_p95_ms(ledger)
    ledger.close()
    return found


def service_cost(comments: int = 100_000, idle_s: float = 30.0) -> tuple[float, float]:
    """(most resident memory in MB, idle CPU in percent) of `rejoinder run` on a ledger of `comments` comments.

    The service first answers 200 fresh comments with the extractive default, then idles.
    """
    with tempfile.TemporaryDirectory(prefix="rejoinder-cost-") as name:
        folder = Path(name)
        site = start_site(folder, 200)
        ledger = make_ledger(sqlite_url(folder / "ledger.db"), site, folder / "token")
        fill(ledger, comments)
        _close_old(ledger)
        ledger.close()
        service = subprocess.Popen(
            [ROOT / ".venv/bin/rejoinder", "run"],
            cwd=folder,
            env=_environment(folder),
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait_until_answered(ledger, comments + 200)
            time.sleep(3.0)
            before, started = _cpu_s(service.pid), time.monotonic()
            time.sleep(idle_s)
            idle = (_cpu_s(service.pid) - before) / (time.monotonic() - started) * 100
            memory = peak_mb(service.pid)
        finally:
            service.terminate()
            service.wait(timeout=20)
            site.stop()
            ledger.engine.dispose()
        return memory, idle


def _environment(folder: Path) -> dict[str, str]:
    return os.environ | {
        "REJOINDER__DATA_DIR": str(folder),
        "REJOINDER__WEB__PORT": "0",
        "REJOINDER__LOG__LEVEL": "error",
        "BENCH_TOKEN": TOKEN,
    }


def _close_old(ledger: Ledger) -> None:
    # The old comments that wait would keep the service busy; here it is to idle.
    ledger.write(
        lambda session: session.connection().execute(
            text("UPDATE comment SET state = 'review' WHERE state IN ('new', 'ready')")
        )
    )


def _wait_until_answered(ledger: Ledger, expected: int) -> None:
    ends = time.monotonic() + 120
    while unfinished(ledger, expected):
        if time.monotonic() > ends:
            raise SystemExit("the service did not finish its comments")
        time.sleep(0.5)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def peak_mb(pid: int) -> float:
    """The most memory that the process has had resident."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def install_size() -> tuple[float, int]:
    """(MB, packages) of the base install in a fresh environment, without pip itself."""
    with tempfile.TemporaryDirectory(prefix="rejoinder-install-") as name:
        environment = Path(name) / "venv"
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        pip = [environment / "bin/python", "-m", "pip", "--disable-pip-version-check"]
        source = Path(name) / "source"
        shutil.copytree(
            ROOT,
            source,
            ignore=shutil.ignore_patterns(".*", "data", "build", "*.egg-info", "__pycache__", "artifacts"),
        )
        subprocess.run(
            [*pip, "install", "--quiet", "-c", ROOT / "constraints.txt", source],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        subprocess.run(
            [*pip, "uninstall", "--quiet", "-y", "setuptools"], check=True, stderr=subprocess.DEVNULL
        )
        listed = subprocess.run(
            [*pip, "list", "--format=freeze"], check=True, capture_output=True, text=True
        ).stdout
        packages = [line for line in listed.splitlines() if not line.startswith("pip==")]
        site = next((environment / "lib").glob("python*/site-packages"))
        shutil.rmtree(site / "pip")
        size = sum(file.stat().st_size for file in site.rglob("*") if file.is_file())
        return size / 1e6, len(packages)
