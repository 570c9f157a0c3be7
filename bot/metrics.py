"""What /metrics shows. One set for a process; its own registry, so that tests can make many."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from bot.store.stats import Counts

if TYPE_CHECKING:
    from bot.serving.fleet import ServerUse

_SECONDS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600)


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.ingested = Counter(
            "rejoinder_comments_ingested", "Comments new to the ledger.", ["channel"], registry=self.registry
        )
        self.malformed = Counter(
            "rejoinder_comments_malformed",
            "Rows of a platform that could not be read.",
            ["channel"],
            registry=self.registry,
        )
        self.polls = Counter(
            "rejoinder_polls", "Polls by outcome.", ["channel", "outcome"], registry=self.registry
        )
        self.decisions = Counter(
            "rejoinder_decisions", "Decisions on comments.", ["decision", "reason"], registry=self.registry
        )
        self.sends = Counter(
            "rejoinder_sends",
            "Attempts to send a reply, by what came of them.",
            ["channel", "outcome"],
            registry=self.registry,
        )
        self.reply_seconds = Histogram(
            "rejoinder_reply_seconds",
            "From comment ingested to reply sent.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.draft_seconds = Histogram(
            "rejoinder_draft_seconds", "Time to make one draft.", buckets=_SECONDS, registry=self.registry
        )
        self.comments = Gauge("rejoinder_comments", "Comments by state.", ["state"], registry=self.registry)

    def show_servers(self, uses: "Callable[[], Sequence[ServerUse]]") -> None:
        """From now on, what is asked of each model server is shown."""
        self.registry.register(_Servers(uses))

    def render(self, counts: Counts) -> bytes:
        """The text that Prometheus reads, with the ledger's present counts."""
        for state, number in counts.by_state.items():
            self.comments.labels(state.value).set(number)
        return generate_latest(self.registry)


class _Servers(Collector):
    """Reads the fleet's own counts whenever somebody looks."""

    def __init__(self, uses: "Callable[[], Sequence[ServerUse]]") -> None:
        self._uses = uses

    def collect(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily]:
        outstanding = GaugeMetricFamily(
            "rejoinder_server_outstanding", "Requests under way at a model server.", labels=["server"]
        )
        well = GaugeMetricFamily(
            "rejoinder_server_well", "Whether a model server is asked at present.", labels=["server"]
        )
        prompt = CounterMetricFamily(
            "rejoinder_prompt_tokens", "Tokens of prompts whose cached part was told.", labels=["server"]
        )
        cached = CounterMetricFamily(
            "rejoinder_prompt_tokens_cached",
            "Of these, the ones that the server's prefix cache held.",
            labels=["server"],
        )
        for use in self._uses():
            outstanding.add_metric([use.url], use.outstanding)
            well.add_metric([use.url], float(use.well))
            prompt.add_metric([use.url], use.prompt_tokens)
            cached.add_metric([use.url], use.cached_tokens)
        return [outstanding, well, prompt, cached]
