"""How many comments a second, and how long a visitor waits."""

import json
import sqlite3
import tempfile
import time
import urllib.request
from pathlib import Path
from statistics import quantiles

from sqlalchemy import func
from sqlmodel import Session, select

from bot.models import Comment, Reply
from bot.store.ledger import Ledger, sqlite_url
from tests.bench.rig import (
    Site,
    comment_text,
    make_ledger,
    make_settings,
    start_service,
    start_site,
    unfinished,
)

SERVICE = {"lease_s": 60.0, "call_timeout_s": 20.0, "workers": 32}


def throughput(comments: int = 3000) -> float:
    """Comments a second from ingest to sent: one service, an instant generator, SQLite, the platform beside it."""
    with tempfile.TemporaryDirectory(prefix="rejoinder-load-") as name:
        folder = Path(name)
        site = start_site(folder, comments)
        url = sqlite_url(folder / "ledger.db")
        ledger = make_ledger(url, site, folder / "token")
        ledger.close()
        service = start_service(make_settings(folder, url, **SERVICE))
        _wait_for_all(ledger, comments, longest_s=120)
        service.kill()
        service.join()
        first, last = ledger.read(_span)
        site.stop()
        ledger.engine.dispose()
        return comments / (last - first).total_seconds()


def reply_p95_s(comments: int = 150, per_second: float = 5.0, poll_interval_s: float = 1.0) -> float:
    """95th percentile of the seconds from comment written to reply visible, the poll interval taken off."""
    with tempfile.TemporaryDirectory(prefix="rejoinder-load-") as name:
        folder = Path(name)
        site = start_site(folder, 0)
        url = sqlite_url(folder / "ledger.db")
        ledger = make_ledger(url, site, folder / "token")
        ledger.close()
        settings = make_settings(folder, url, **SERVICE, poll_interval_s=poll_interval_s, beat_s=0.2)
        service = start_service(settings)
        _write_comments(site, comments, per_second)
        _wait_for_all(ledger, comments, longest_s=60)
        service.kill()
        service.join()
        waits = _waits(site)
        site.stop()
        ledger.engine.dispose()
        return quantiles(waits, n=20)[-1] - poll_interval_s


def _wait_for_all(ledger: Ledger, comments: int, longest_s: float) -> None:
    ends = time.monotonic() + longest_s
    while unfinished(ledger, comments):
        if time.monotonic() > ends:
            raise SystemExit(
                f"{unfinished(ledger, comments)} of {comments} comments were not answered in {longest_s:g} s"
            )
        time.sleep(0.5)


def _span(session: Session) -> tuple[object, object]:
    return session.exec(select(func.min(Comment.ingested_at), func.max(Reply.sent_at)).join(Reply)).one()


def _write_comments(site: Site, number: int, per_second: float) -> None:
    with sqlite3.connect(f"file:{site.path}?mode=ro", uri=True) as database:
        post = database.execute("SELECT id FROM post").fetchone()[0]
    database.close()
    started = time.monotonic()
    for index in range(number):
        time.sleep(max(0.0, started + index / per_second - time.monotonic()))
        body = json.dumps({"post_id": str(post), "name": "fan", "text": comment_text(index)}).encode()
        request = urllib.request.Request(
            f"{site.url}/visitor/comments", body, {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request).close()


def _waits(site: Site) -> list[float]:
    query = (
        "SELECT (reply.created_us - comment.created_us) / 1e6 FROM comment AS reply"
        " JOIN comment ON comment.id = reply.parent_id WHERE reply.by_creator = 1"
    )
    with sqlite3.connect(f"file:{site.path}?mode=ro", uri=True) as database:
        waits = [wait for (wait,) in database.execute(query)]
    database.close()
    return waits
