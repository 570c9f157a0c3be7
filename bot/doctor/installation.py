"""The settings and the database."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import text
from sqlmodel import Session

from bot.doctor.report import Finding
from bot.settings import FILE, Settings
from bot.store import stats
from bot.store.ledger import Ledger
from bot.web.gate import is_loopback

LEAST_FREE_MB = 500


def settings_findings(settings: Settings, file: Path | None) -> Iterator[Finding]:
    used = file if file is not None else Path(FILE)
    if used.exists():
        yield Finding("ok", "settings", f"from {used}", f"来自 {used}")
    else:
        yield Finding(
            "ok",
            "settings",
            "the defaults; 'rejoinder init' writes a file to change them in",
            "使用默认值；运行 rejoinder init 可生成配置文件",
        )
    if not is_loopback(settings.web.host):
        yield Finding(
            "warning",
            "settings",
            f"web.host = {settings.web.host}: the status page has no password; keep it behind a firewall or a proxy",
            f"web.host = {settings.web.host}：状态页没有密码，请放在防火墙或代理之后",
        )


def database_findings(settings: Settings, ledger: Ledger) -> Iterator[Finding]:
    """Raises LedgerError when the database cannot be written."""
    ledger.write(_try_to_write)
    counts = ledger.read(stats.counts)
    yield Finding(
        "ok",
        "database",
        f"{ledger.address}: up to date and writable, {counts.comments} comments",
        f"{ledger.address}：结构最新，可写入，共 {counts.comments} 条评论",
    )
    free_mb = shutil.disk_usage(settings.data_dir).free // 1_000_000
    if free_mb < LEAST_FREE_MB:
        yield Finding(
            "warning",
            "disk",
            f"only {free_mb} MB are free at {settings.data_dir}; make room, or move data_dir",
            f"{settings.data_dir} 只剩 {free_mb} MB 可用；请清理空间或更换 data_dir",
        )
    else:
        yield Finding(
            "ok",
            "disk",
            f"{free_mb} MB free at {settings.data_dir}",
            f"{settings.data_dir} 可用空间 {free_mb} MB",
        )


def _try_to_write(session: Session) -> None:
    # Changes nothing, but takes the write lock and fails where writing does.
    session.execute(text("UPDATE channel SET name = name WHERE 1 = 0"))
