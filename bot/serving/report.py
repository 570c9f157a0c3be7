"""What one model server is, found out without changing anything on it, in words for its owner."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import monotonic

from bot.generator import GeneratorError, RequestRefused
from bot.prompt import Message
from bot.serving.member import Member
from bot.serving.server import ModelServer, ServedModel

_ASK: list[Message] = [{"role": "user", "content": "hello"}]
_TOOL = {
    "type": "function",
    "function": {"name": "nothing", "parameters": {"type": "object", "properties": {}}},
}


@dataclass(frozen=True, slots=True)
class ServerReport:
    url: str
    version: str | None
    """vLLM's; None for another program."""
    base: ServedModel
    voices: tuple[str, ...]
    loads_voices: bool
    """While it runs."""
    system_role: bool
    sees: bool
    calls_tools: bool
    cache_rate: float | None
    """Share of the prompt tokens since its start that its prefix cache held, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Words:
    english: str
    chinese: str


async def look_at(server: ModelServer, model: str) -> ServerReport:
    """Raises GeneratorError, also when `model` is not served."""
    health = await server.check(model)
    if not health.ok:
        raise GeneratorError(health.message)
    served = await server.models()
    member = Member(server, model, 1, monotonic)
    traits = await member.learn()
    figures = await server.figures()
    queries = 0 if figures is None else figures.cache_queries
    return ServerReport(
        url=server.base_url,
        version=await server.version(),
        base=next(entry for entry in served if entry.name == model),
        voices=tuple(entry.name for entry in served if entry.parent is not None),
        loads_voices=await server.loads_voices(),
        system_role=traits.system_role,
        sees=await member.looks(),
        calls_tools=await _calls_tools(server, model),
        cache_rate=figures.cache_hits / queries if figures is not None and queries else None,
    )


async def _calls_tools(server: ModelServer, model: str) -> bool:
    try:
        await server.chat(_ASK, model=model, max_tokens=1, tools=[_TOOL], tool_choice="auto")
    except RequestRefused:
        return False
    return True


def describe(report: ServerReport) -> Words:
    """One line with everything."""
    voices = ", ".join(report.voices)
    context = report.base.max_model_len
    rate = None if report.cache_rate is None else f"{report.cache_rate:.0%}"
    english = [
        f"{report.url}: {f'vLLM {report.version}' if report.version else 'not vLLM'}",
        f"base model {report.base.name}" + (f" ({report.base.root})" if report.base.root else ""),
        f"context {context} tokens" if context else "context length not told",
        f"voices: {voices or 'none'}",
        f"loading voices while it runs: {'on' if report.loads_voices else 'off'}",
        f"pictures: {'yes' if report.sees else 'no'}",
        f"tool calls: {'yes' if report.calls_tools else 'no'}",
        f"system messages: {'yes' if report.system_role else 'no, the rules go into the first message'}",
        *([f"prefix cache held {rate} of the prompts"] if rate else []),
    ]
    chinese = [
        f"{report.url}：{f'vLLM {report.version}' if report.version else '不是 vLLM'}",
        f"基础模型 {report.base.name}" + (f"（{report.base.root}）" if report.base.root else ""),
        f"上下文 {context} 个 token" if context else "未告知上下文长度",
        f"声音：{voices or '无'}",
        f"运行中加载声音：{'已开启' if report.loads_voices else '未开启'}",
        f"看图：{'可以' if report.sees else '不可以'}",
        f"工具调用：{'可以' if report.calls_tools else '不可以'}",
        f"系统消息：{'可以' if report.system_role else '不可以，规则放在第一条消息里'}",
        *([f"前缀缓存命中 {rate}"] if rate else []),
    ]
    return Words("; ".join(english), "；".join(chinese))


def differences(reports: Sequence[ServerReport]) -> Iterator[Words]:
    """What servers that ought to be alike do not have in common."""
    roots = {report.base.root for report in reports}
    if len(roots) > 1:
        named = ", ".join(sorted(roots))
        yield Words(
            f"the servers have different weights under one name ({named}); start all of them with the same model",
            f"各服务器同名而权重不同（{named}）；请让它们都加载同一个模型",
        )
    lengths = {report.base.max_model_len for report in reports}
    if len(lengths) > 1:
        told = ", ".join(str(length) for length in sorted(length or 0 for length in lengths))
        yield Words(
            f"the servers have different contexts ({told} tokens); prompts are fitted to the smallest, "
            "give all of them the same --max-model-len",
            f"各服务器的上下文长度不同（{told} 个 token）；提示按最短的裁剪，请统一 --max-model-len",
        )
    for what, translated, has in (
        ("see pictures", "看图", {report.sees for report in reports}),
        ("call tools", "调用工具", {report.calls_tools for report in reports}),
        ("load voices while they run", "在运行中加载声音", {report.loads_voices for report in reports}),
    ):
        if len(has) > 1:
            yield Words(
                f"some servers {what} and some don't; start all of them with the same flags",
                f"有的服务器可以{translated}，有的不可以；请用相同的参数启动",
            )


def lacks(report: ServerReport) -> Iterator[Words]:
    """What keeps a vLLM server from taking voices."""
    if report.version and not report.loads_voices:
        yield Words(
            f"{report.url} loads no voices while it runs; start it with --enable-lora and "
            "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True if you use voices",
            f"{report.url} 运行中不能加载声音；若要使用声音，请以 --enable-lora 和 "
            "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True 启动",
        )
