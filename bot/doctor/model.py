"""The generator with its servers, voices, tools and judge."""

from collections.abc import AsyncIterator, Iterator, Sequence

from bot.bootstrap import utc_now
from bot.building.model import make_generator, make_judge, make_servers
from bot.doctor.report import Finding
from bot.generator import GeneratorError
from bot.models import Voice, VoiceStatus
from bot.settings import Settings, SettingsError
from bot.tools.health import examined
from bot.voices.files import intact


async def model_findings(settings: Settings) -> AsyncIterator[Finding]:
    """All that can be found out by asking."""
    if settings.generator.kind == "vllm":
        async for finding in server_findings(settings):
            yield finding
    else:
        yield await generator_finding(settings)
    for finding in tool_findings(settings):
        yield finding
    async for finding in judge_findings(settings):
        yield finding


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
