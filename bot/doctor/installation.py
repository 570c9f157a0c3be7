"""The settings and the database."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import text
from sqlmodel import Session

from bot.doctor.report import Finding
from bot.settings import FILE, Settings, WebSettings
from bot.store import access, stats
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
    yield from web_findings(settings.web)


def web_findings(web: WebSettings) -> Iterator[Finding]:
    """How people's passwords travel, and whether attackers can be told from colleagues."""
    if not is_loopback(web.host) and not web.public_url.startswith("https:") and not web.trusted_proxies:
        yield Finding(
            "warning",
            "settings",
            f"web.host = {web.host}: passwords travel readable; put a proxy with TLS in front and set web.public_url "
            "to its https address",
            f"web.host = {web.host}：密码会以明文传输；请在前面放置 TLS 代理，并将 web.public_url 设为其 https 地址",
        )
    if web.public_url and not web.trusted_proxies:
        yield Finding(
            "warning",
            "settings",
            "web.public_url is set, but no web.trusted_proxies: everybody counts as one address, so one stranger's "
            "failed log-ins make all wait; list the proxy's address",
            "设置了 web.public_url 但没有 web.trusted_proxies：所有人被视为同一地址，陌生人登录失败会让所有人等待；"
            "请填写代理的地址",
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
    if not ledger.read(access.has_owner):
        yield Finding(
            "warning",
            "people",
            "there is no owner yet, so nobody can manage; open the link that 'rejoinder people link' prints",
            "还没有管理员；请打开 rejoinder people link 给出的链接",
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
