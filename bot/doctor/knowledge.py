"""The documents, and what searches them."""

from collections.abc import Iterator, Sequence

from bot.bootstrap import open_library
from bot.doctor.report import Finding
from bot.models import Channel
from bot.retrieval import make_embedder, make_reranker
from bot.settings import ChannelRulesSettings, KnowledgeSettings, Settings, SettingsError
from knowledge.store import LibraryError


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
