"""The credentials: whether their key is there and opens them, and whether references lead to secrets."""

from collections.abc import Iterator, Sequence

from bot.doctor.report import Finding
from bot.keyring import Keyring, KeyUnusable
from bot.models import Channel
from bot.references import KEPT, refers
from bot.settings import SettingsError, resolve
from bot.store.credentials import Kept, Kind, name_of
from bot.vault import unreadable


def credential_findings(
    keyring: Keyring, rows: Sequence[Kept], known: Sequence[Channel]
) -> Iterator[Finding]:
    """`rows`: every credential. Without one, no key is needed."""
    yield from _references(rows, known)
    if not rows:
        return
    try:
        keys = keyring.read()
    except KeyUnusable as error:
        yield Finding("error", "credentials", str(error))
        return
    closed = unreadable(list(rows), keys)
    for channel in sorted({row.channel for row in closed}):
        yield _closed(channel, keyring)
    if len(keys) > 1 and not keyring.from_environment:
        yield Finding(
            "warning",
            "credentials",
            f"{keyring.where} still holds an old key: changing it broke off; run: rejoinder channels rotate-key",
            f"{keyring.where} 中仍有旧密钥：上次更换未完成；请运行：rejoinder channels rotate-key",
        )
    if not closed:
        yield Finding(
            "ok",
            "credentials",
            f"{len(rows)} kept encrypted, all of them open with {keyring.where}",
            f"已加密保存 {len(rows)} 条凭据，全部可用 {keyring.where} 读取",
        )


def _closed(channel: str, keyring: Keyring) -> Finding:
    cure = f"rejoinder channels connect {channel}"
    return Finding(
        "error",
        f"channel {channel}",
        f"its credentials cannot be read with {keyring.where}; put the right key back, or connect again: {cure}",
        f"无法用 {keyring.where} 读取它的凭据；请恢复正确的密钥，或重新连接：{cure}",
    )


def _references(rows: Sequence[Kept], known: Sequence[Channel]) -> Iterator[Finding]:
    kept = {(row.channel_id, row.name) for row in rows}
    for channel in known:
        for name, value in channel.options.items():
            if value == KEPT and (channel.id, name_of(Kind.OPTION, name)) not in kept:
                cure = f"rejoinder channels connect {channel.name}"
                yield Finding(
                    "error",
                    f"channel {channel.name}",
                    f"the secret {name} is not kept; type it in: {cure}",
                    f"没有保存密钥 {name}；请重新输入：{cure}",
                )
            elif value != KEPT and refers(value):
                yield from _leads(channel, name, value)


def _leads(channel: Channel, name: str, reference: str) -> Iterator[Finding]:
    try:
        found = resolve(reference)
    except SettingsError as error:
        yield Finding("error", f"channel {channel.name}", f"{name}: {error}", f"{name}：{error}")
        return
    if not found:
        yield Finding(
            "error",
            f"channel {channel.name}",
            f"{name}: {reference} is empty; put the secret there",
            f"{name}：{reference} 为空；请写入密钥",
        )
