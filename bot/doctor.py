"""Looks at each part of an installation and says what is wrong and what cures it."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

from sqlalchemy import text
from sqlmodel import Session

from adapters.errors import AdapterError
from bot.bootstrap import open_http, open_ledger, open_library, utc_now
from bot.building.model import make_generator, make_judge, make_servers
from bot.building.persona import make_personas
from bot.connections import Connections
from bot.generator import GeneratorError
from bot.models import Channel, Voice, VoiceStatus
from bot.retrieval import make_embedder, make_reranker
from bot.settings import FILE, ChannelRulesSettings, KnowledgeSettings, Settings, SettingsError
from bot.store import channels, stats, voices
from bot.store.ledger import Ledger, LedgerError
from bot.tools.health import examined
from bot.voices.files import intact
from bot.web.server import is_loopback
from knowledge.store import LibraryError

Level = Literal["ok", "warning", "error"]

LEAST_FREE_MB = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    level: Level
    part: str
    english: str
    """What was found and, unless all is well, the cure."""
    chinese: str = ""
    """The same; empty where a lower layer told it, in English only."""

    def message(self, language: str) -> str:
        return self.chinese if language == "zh" and self.chinese else self.english


async def examine(settings: Settings, file: Path | None) -> AsyncIterator[Finding]:
    """Each finding as soon as it is known. Raises nothing that a broken installation can cause."""
    for finding in settings_findings(settings, file):
        yield finding
    found: list[Channel] | None = None
    try:
        with open_ledger(settings) as ledger:
            for finding in database_findings(settings, ledger):
                yield finding
            found = ledger.read(channels.every)
            for finding in voice_findings(settings, ledger.read(voices.answering)):
                yield finding
    except (LedgerError, SettingsError, OSError) as error:
        yield Finding("error", "database", str(error))
    for finding in chain(
        documents_findings(settings, found or []),
        retrieval_findings(settings),
        persona_findings(settings, found or []),
    ):
        yield finding
    if found is not None:
        async for finding in channel_findings(settings, found):
            yield finding
    if settings.generator.kind == "vllm":
        async for finding in server_findings(settings):
            yield finding
    else:
        yield await generator_finding(settings)
    for finding in tool_findings(settings):
        yield finding
    async for finding in judge_findings(settings):
        yield finding


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


def voice_findings(settings: Settings, answering: Sequence[Voice]) -> Iterator[Finding]:
    """Nothing where the base model answers everywhere."""
    for voice in answering:
        part = f"voice {voice.name}"
        if settings.generator.kind != "vllm":
            yield Finding(
                "warning",
                part,
                'is to answer, but generator.kind is not "vllm"; set it, or go back: rejoinder voices rollback',
                "应由它回复，但 generator.kind 不是 vllm；请修改设置，或退回：rejoinder voices rollback",
            )
        elif not intact(settings.data_dir / voice.path, voice.digest):
            yield Finding(
                "error",
                part,
                f"its files in {settings.data_dir / voice.path} are damaged or gone; put them back from a copy, "
                "or go back: rejoinder voices rollback",
                f"{settings.data_dir / voice.path} 中的文件已损坏或丢失；请从备份恢复，"
                "或退回：rejoinder voices rollback",
            )
        else:
            share = f"{voice.share:.1%}" if voice.status == VoiceStatus.CANARY else "100%"
            yield Finding(
                "ok",
                part,
                f"{voice.status}, {share} of its comments; its files are whole",
                f"{'试用' if voice.status == VoiceStatus.CANARY else '使用中'}，回复 {share} 的评论；文件完好",
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


def documents_findings(settings: Settings, known: Sequence[Channel]) -> Iterator[Finding]:
    try:
        with open_library(settings) as library:
            found, embedded = library.stats(), library.all_embedded()
    except (LibraryError, SettingsError, OSError) as error:
        yield Finding("error", "documents", str(error))
        return
    if not found.documents:
        yield Finding(
            "warning",
            "documents",
            "none, so nothing can be answered; add some: rejoinder ingest PATH",
            "没有资料，无法回答任何问题；请添加：rejoinder ingest 路径",
        )
        return
    languages = ", ".join(f"{code} {number}" for code, number in sorted(found.languages.items()))
    tags = ", ".join(f"{tag} {number}" for tag, number in found.tags.items())
    yield Finding(
        "ok",
        "documents",
        f"{found.documents} documents, {found.passages} passages ({languages}){'; tags: ' if tags else ''}{tags}",
        f"{found.documents} 份资料，{found.passages} 个段落（{languages}）{'；标签：' if tags else ''}{tags}",
    )
    if not embedded:
        yield Finding(
            "warning",
            "documents",
            "some passages are not embedded yet and are found by their words alone; run: rejoinder knowledge reindex",
            "有段落尚未生成向量，只能按词检索；请运行：rejoinder knowledge reindex",
        )
    yield from _tag_findings(known, frozenset(found.tags))


def _tag_findings(known: Sequence[Channel], tags: frozenset[str]) -> Iterator[Finding]:
    """A channel or post that is limited to tags which no document carries can answer nothing."""
    for channel in known:
        rules = ChannelRulesSettings.model_validate(channel.rules)
        limits = {f"channel {channel.name}": rules.tags}
        limits |= {f"channel {channel.name}, post {post}": wanted for post, wanted in rules.post_tags.items()}
        for part, wanted in limits.items():
            if wanted and tags.isdisjoint(wanted):
                listed = ", ".join(wanted)
                yield Finding(
                    "warning",
                    part,
                    f"answers only from documents tagged {listed}, and there are none; "
                    "tag some: rejoinder knowledge tag SOURCE TAG",
                    f"只从带有标签 {listed} 的资料作答，但没有这样的资料；请添加：rejoinder knowledge tag 来源 标签",
                )


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


def retrieval_findings(settings: Settings) -> Iterator[Finding]:
    """Whether the embedder and the reranker work, by trying them; nothing where neither is asked for."""
    for part, try_it in (("embedder", _try_embedder), ("reranker", _try_reranker)):
        try:
            yield from (Finding("ok", part, *said) for said in try_it(settings.knowledge))
        except (LibraryError, SettingsError) as error:
            yield Finding("error", part, str(error))


def _try_embedder(given: KnowledgeSettings) -> Iterator[tuple[str, str]]:
    embedder = make_embedder(given)
    if embedder is None:
        return
    try:
        size = embedder.dimension
        spoken = ", ".join(sorted(embedder.languages)) if embedder.languages is not None else ""
        yield (
            f"{embedder.name} answers with {size} dimensions; it speaks {spoken or 'all languages'}",
            f"{embedder.name} 可用，{size} 维；支持的语言：{spoken or '全部'}",
        )
    finally:
        embedder.close()


def _try_reranker(given: KnowledgeSettings) -> Iterator[tuple[str, str]]:
    reranker = make_reranker(given)
    if reranker is None:
        return
    try:
        reranker.rerank("When?", ["On Monday."])
        yield f"{given.reranker} answers", f"{given.reranker} 可用"
    finally:
        reranker.close()


async def channel_findings(settings: Settings, found: list[Channel]) -> AsyncIterator[Finding]:
    if not found:
        yield Finding(
            "warning",
            "channels",
            "none; add one: rejoinder channels add NAME --platform PLATFORM",
            "还没有频道；请添加：rejoinder channels add 名称 --platform 平台",
        )
        return
    async with open_http() as http:
        connections = Connections(http=http, clock=utc_now, timeout_s=settings.service.call_timeout_s)
        try:
            for task in asyncio.as_completed([_channel_finding(connections, channel) for channel in found]):
                yield await task
        finally:
            await connections.aclose()


async def _channel_finding(connections: Connections, channel: Channel) -> Finding:
    part = f"channel {channel.name}"
    try:
        account = (await connections.get(channel)).account
    except AdapterError as error:
        cure = f"rejoinder channels resume {channel.name}"
        return Finding("error", part, f"{error}; when it is mended: {cure}", f"{error}；修复之后运行：{cure}")
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


async def generator_finding(settings: Settings) -> Finding:
    try:
        generator = make_generator(settings)
    except (GeneratorError, SettingsError) as error:
        return Finding("error", "generator", str(error))
    try:
        health = await generator.check()
    finally:
        await generator.aclose()
    return Finding(
        "ok" if health.ok else "error", "generator", f"{settings.generator.kind}: {health.message}"
    )


def tool_findings(settings: Settings) -> Iterator[Finding]:
    """Nothing where no tool is declared."""
    for health in examined(settings.tools, utc_now):
        yield Finding(health.level, f"tool {health.name}", health.english, health.chinese)
    if settings.tools and settings.generator.kind == "extractive":
        yield Finding(
            "warning",
            "tools",
            'nothing calls them: generator.kind = "extractive" only quotes; set it to "vllm"',
            '没有模型会调用它们：generator.kind = "extractive" 只引用资料；请改为 "vllm"',
        )


async def server_findings(settings: Settings) -> AsyncIterator[Finding]:
    """What each model server is, and where they differ."""
    from bot.serving.report import (  # noqa: PLC0415  (its client takes a second to import)
        ServerReport,
        describe,
        differences,
        lacks,
        look_at,
    )

    reports: list[ServerReport] = []
    try:
        servers = make_servers(settings.generator)
    except (GeneratorError, SettingsError) as error:
        yield Finding("error", "generator", str(error))
        return
    for server in servers:
        try:
            reports.append(await look_at(server, settings.generator.model))
        except GeneratorError as error:
            yield Finding("error", "generator", f"vllm: {error}")
        else:
            said = describe(reports[-1])
            yield Finding("ok", "generator", f"vllm: {said.english}", f"vllm：{said.chinese}")
        finally:
            await server.aclose()
    for words in (*(lack for report in reports for lack in lacks(report)), *differences(reports)):
        yield Finding("warning", "generator", words.english, words.chinese)
    if settings.tools and not all(report.calls_tools for report in reports):
        flags = "--enable-auto-tool-choice --tool-call-parser NAME"
        yield Finding(
            "error",
            "tools",
            f"a server takes no tool calls; start it with {flags} (such as hermes for Qwen), or take the tools out",
            f"有服务器不支持工具调用；请用 {flags} 启动（如 Qwen 用 hermes），或去掉工具设置",
        )


async def judge_findings(settings: Settings) -> AsyncIterator[Finding]:
    """Nothing where no judge is asked for."""
    try:
        judge = make_judge(settings)
    except (GeneratorError, SettingsError) as error:
        yield Finding("error", "judge", str(error))
        return
    if judge is None:
        return
    try:
        health = await judge.check()
    finally:
        await judge.aclose()
    yield Finding("ok" if health.ok else "error", "judge", health.message)
