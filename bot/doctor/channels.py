"""The channels: whether they log in, and whether they ask for what is there."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence

from adapters.errors import AdapterError, ReauthRequired
from bot.bootstrap import make_connections, open_http, open_ledger
from bot.building.persona import make_personas
from bot.connections import Connections
from bot.doctor.report import Finding
from bot.models import Channel
from bot.settings import ChannelRulesSettings, Settings
from bot.store.ledger import Ledger


def persona_findings(settings: Settings, known: Sequence[Channel]) -> Iterator[Finding]:
    """A channel that asks for a persona which is no more is answered by the default one."""
    personas = make_personas(settings)
    for channel in known:
        wanted = ChannelRulesSettings.model_validate(channel.rules).persona
        if wanted and wanted not in personas:
            names = ", ".join(sorted(personas))
            yield Finding(
                "warning",
                f"channel {channel.name}",
                f"there is no persona {wanted}, so the default one answers; known: {names}; "
                f"choose: rejoinder channels rules {channel.name} --persona NAME",
                f"没有名为 {wanted} 的人设，改用默认人设；可用：{names}；"
                f"请选择：rejoinder channels rules {channel.name} --persona 名称",
            )


async def channel_findings(settings: Settings, found: list[Channel]) -> AsyncIterator[Finding]:
    if not found:
        yield Finding(
            "warning",
            "channels",
            "none; add one: rejoinder channels add NAME --platform PLATFORM",
            "还没有频道；请添加：rejoinder channels add 名称 --platform 平台",
        )
        return
    with open_ledger(settings) as ledger:
        async for finding in _logged_in(settings, ledger, found):
            yield finding


async def _logged_in(settings: Settings, ledger: Ledger, found: list[Channel]) -> AsyncIterator[Finding]:
    async with open_http() as http:
        connections = make_connections(settings, ledger, http)
        try:
            for task in asyncio.as_completed([_channel_finding(connections, channel) for channel in found]):
                yield await task
        finally:
            await connections.aclose()


async def _channel_finding(connections: Connections, channel: Channel) -> Finding:
    part = f"channel {channel.name}"
    try:
        account = (await connections.get(channel)).account
    except ReauthRequired as error:
        cure = f"rejoinder channels connect {channel.name}"
        return Finding("error", part, f"{error}; connect again: {cure}", f"{error}；请重新连接：{cure}")
    except AdapterError as error:
        cure = f"rejoinder channels resume {channel.name}"
        return Finding("error", part, f"{error}; when it is mended: {cure}", f"{error}；修复之后运行：{cure}")
    if channel.to_connect:
        cure = f"rejoinder channels connect {channel.name}"
        return Finding(
            "warning",
            part,
            f"stopped, because its credentials were refused ({channel.last_error}); connect again: {cure}",
            f"凭据被拒绝，已停止（{channel.last_error}）；请重新连接：{cure}",
        )
    if channel.paused:
        why = f" ({channel.last_error})" if channel.last_error else ""
        cure = f"rejoinder channels resume {channel.name}"
        return Finding("warning", part, f"paused{why}; go on: {cure}", f"已暂停{why}；恢复：{cure}")
    if channel.last_error:
        return Finding(
            "warning",
            part,
            f"logs in, but the last poll failed: {channel.last_error}",
            f"可以登录，但最近一次轮询失败：{channel.last_error}",
        )
    sends = ", ".join(ChannelRulesSettings.model_validate(channel.rules).send)
    return Finding(
        "ok",
        part,
        f"logged in to {channel.platform} as {account.name}; "
        f"sends by itself: {sends if sends else 'nothing, all goes to review'}",
        f"已以 {account.name} 登录 {channel.platform}；自动回复：{sends if sends else '无，全部交人工审核'}",
    )
