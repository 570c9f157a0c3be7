"""Settings: `rejoinder.toml`, each key overridable as `REJOINDER__SECTION__KEY`.

Unknown keys and wrong types are refused with one line. Secrets never stand in the file: a secret is a reference,
`env:NAME` or `file:PATH`, read when it is needed. An explicit 0 means 0.
"""

import os
import tomllib
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableVariable
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from bot.references import SecretReference
from bot.section import Section
from bot.tools.settings import Day, Span, ToolSettings, checked_zone
from bot.training_settings import TrainingSettings
from knowledge.splitter import DEFAULT_OVERLAP, DEFAULT_SIZE
from knowledge.tags import as_scope, checked_tag

FILE = "rejoinder.toml"
PREFIX = "REJOINDER__"
# What is longer is a slip, and far longer no span of time at all.
_WEEK_S = 7 * 86_400
_YEAR_HOURS = 8_784


class SettingsError(ValueError):
    """Settings that cannot be used; the message is one line with the key and the cure."""


Tag = Annotated[str, AfterValidator(checked_tag)]


def _network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no address or network; write 127.0.0.1 or 10.0.0.0/8") from error
    return text


def _origin_address(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/")):
        raise ValueError(f"{text!r} is no address of a site; write https://desk.example.org")
    return text.rstrip("/")


class DatabaseSettings(Section):
    url: str = ""
    """Empty: SQLite in `data_dir`. A PostgreSQL address may be a reference, as it holds a password."""


class WebSettings(Section):
    host: str = "127.0.0.1"
    port: int = Field(default=8700, ge=0, le=65535)
    """0 takes any free port."""
    public_url: Annotated[str, AfterValidator(_origin_address)] = ""
    """The address that people use, where it is another than host and port, such as https://desk.example.org."""
    trusted_proxies: list[Annotated[str, AfterValidator(_network)]] = []
    """Addresses or networks of proxies in front, such as 127.0.0.1 or 10.0.0.0/8; only these are believed when they
    say for whom they ask (X-Forwarded-For, X-Forwarded-Proto)."""
    session_hours: float = Field(default=72.0, gt=0, le=_YEAR_HOURS)
    """Hours after which one must log in again, however busy."""
    idle_hours: float = Field(default=12.0, gt=0, le=_YEAR_HOURS)
    """Hours without a request after which one must log in again."""
    max_upload_mb: int = Field(default=100, ge=1)
    """Largest document that the page takes."""

    def trusts(self, peer: str) -> bool:
        """Whether `peer`, an address, is one of the trusted proxies."""
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        # As a socket that takes both kinds names an IPv4 peer.
        address = (address.ipv4_mapped or address) if address.version == 6 else address
        return any(address in ip_network(known) for known in self.trusted_proxies)


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "text", "json"] = "auto"
    """`auto`: text on a terminal, JSON elsewhere."""


class GeneratorSettings(Section):
    kind: Literal["extractive", "vllm"] = "extractive"
    base_url: str = ""
    """Address of the server, such as http://127.0.0.1:8000/v1."""
    more_servers: list[str] = []
    """Addresses of more servers that serve the same model; requests go to the one with the least to do."""
    model: str = ""
    """The base model's name there: vLLM's --served-model-name."""
    api_key: SecretReference = ""
    deadline_s: float = Field(default=30.0, gt=0)
    """Seconds for one comment: search, pictures, every candidate, tool and second try."""
    max_tokens: int = Field(default=400, gt=0)
    """Longest reply; what is cut off ends with its last whole sentence."""
    temperature: float = Field(default=0.3, ge=0, le=2)
    """How freely the model writes. At 0 there is one candidate, whatever `candidates` says."""
    candidates: int = Field(default=1, ge=1, le=8)
    """Replies written for each comment, of which the best is taken."""
    concurrency: int = Field(default=16, ge=1, le=1024)
    """Most requests that one server works on at once: vLLM's --max-num-seqs. Fewer while it has a queue."""
    voices_dir: str = ""
    """Where the servers find the folder `voices` of `data_dir`; empty: under the same path as here."""

    @property
    def servers(self) -> tuple[str, ...]:
        """Every server's address, each once."""
        return tuple(dict.fromkeys(url for url in (self.base_url, *self.more_servers) if url))

    @model_validator(mode="after")
    def _vllm_has_an_address(self) -> "GeneratorSettings":
        if self.kind == "vllm" and not (self.base_url and self.model):
            raise ValueError('kind = "vllm" needs base_url and model')
        return self


Language = Literal["en", "zh"]


class ExampleSettings(Section):
    """A comment and how the creator answered it."""

    comment: str
    reply: str


class PersonaSettings(Section):
    """How replies sound. A key that is left out keeps the default; an empty text means that none is said."""

    preset: Literal["", "concise", "expert"] = ""
    """What to start from. concise: short, says so when it doesn't know, ends with thanks; expert: clear first,
    technical where asked, as long as the comment deserves, signed with the name."""
    name: str | None = None
    tone: str | None = None
    rules: list[str] | None = None
    do: list[str] = []
    """What a model is told to do, besides the rules."""
    dont: list[str] = []
    """What it is told not to do."""
    greetings: dict[Language, str] = {}
    closings: dict[Language, str] = {}
    """Fixed closing words, in front of the signature."""
    signatures: dict[Language, str] = {}
    """{name} in them stands for the name."""
    cannot_answer: dict[Language, str] = {}
    max_sentences: int | None = Field(default=None, ge=1)
    match_length: bool | None = None
    """A short comment gets a short reply."""
    examples: list[ExampleSettings] = []
    """Comments with the creator's own replies, for the tone: tables with the keys comment and reply."""


def checked_range(limits: list[float]) -> list[float]:
    """`limits` themselves: none, or two that rise. Raises ValueError."""
    if limits and (len(limits) != 2 or limits[0] > limits[1]):
        raise ValueError("give two numbers of seconds, the smaller one first")
    return limits


class ChannelRulesSettings(Section):
    """What a channel may do by itself. The default sends nothing: everything goes to a person."""

    send: list[Literal["question", "praise", "complaint", "request", "other"]] = []
    """Intents that may be answered without a person."""
    min_support: float | None = Field(default=None, ge=0, le=1)
    """None: `policy.min_support`."""
    min_gap_s: float | None = Field(default=None, ge=0, le=_WEEK_S)
    """Seconds between two replies; None: what the platform asks for."""
    max_per_hour: int | None = Field(default=None, ge=0)
    """0 sends nothing; None: no limit."""
    hours: dict[Day, list[Span]] = {}
    """When replies may go out without a person, such as mon = ["09:00-18:00"]; a day that is left out is closed, and
    what is ready waits for the next opening. Empty: always. What a person approved goes out at any time."""
    time_zone: Annotated[str, AfterValidator(checked_zone)] = "UTC"
    """Whose wall clock `hours` go by, such as Asia/Shanghai."""
    tags: list[Tag] = []
    """Answer from documents with one of these tags only; empty: from all."""
    delay_s: Annotated[list[Annotated[float, Field(ge=0, le=_WEEK_S)]], AfterValidator(checked_range)] = []
    """From and to: so many seconds a reply that goes out by itself waits first, at random. Empty: it waits for
    nothing."""
    one_reply_s: float | None = Field(default=None, ge=0, le=_WEEK_S)
    """Within so many seconds a person gets one reply in a thread; what they write then goes to review."""
    loop_replies: int = Field(default=5, ge=0)
    """After so many replies to one person in one thread within `loop_s` a person decides, as it may be another bot;
    0: never."""
    loop_s: float = Field(default=86_400, gt=0, le=_WEEK_S)
    bots: list[str] = []
    """Accounts that are never answered by themselves, by id or name."""
    stop_after: int = Field(default=3, ge=0)
    """After so many replies in a row that the platform refused, or that were not to be seen there, the channel stops
    until a person resumes it; 0: never."""
    label: dict[Language, Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f]*$")]] = {}
    """What stands at the end of each reply, in its language, such as zh = "（本回复由 AI 生成）"."""
    persona: str | None = None
    """Name of a persona of `personas`, or of a preset; None: the default one."""
    send_tools: bool = False
    """Replies that rest on what the owner's tools say may go out without a person."""
    post_tags: dict[str, list[Tag]] = {}
    """The same for single posts, by the platform's number of the post; takes the place of `tags` there."""

    def scope(self, post: str) -> frozenset[str] | None:
        """What may be searched for comments under `post` (the platform's number); None: every document."""
        return as_scope(self.post_tags.get(post, self.tags))


class PolicySettings(Section):
    min_support: float = Field(default=0.6, ge=0, le=1)
    """Least probability that the passages answer the comment, before a reply may go out by itself."""
    max_comment_chars: int = Field(default=5000, ge=1)
    banned_words: list[str] = []
    post_pictures: Literal["review", "ignore"] = "review"
    """What a post's pictures mean for the comments under it. `review`: the model looks at them, and where it cannot,
    a person does. `ignore`: nobody looks at them. A comment's own pictures are always looked at."""
    picture_hosts: list[str] = []
    """Hosts in a private network that pictures may be fetched from, as name or name:port; else only public ones."""


class KnowledgeSettings(Section):
    top_k: int = Field(default=4, ge=1, le=20)
    allow_private_addresses: bool = False
    """Let `ingest` read from addresses of a private network."""
    passage_size: int = Field(default=DEFAULT_SIZE, ge=50, le=10_000)
    """Longest passage in Latin characters; a Chinese one counts as 1.6. After a change documents are read again."""
    overlap: int = Field(default=DEFAULT_OVERLAP, ge=0)
    """How much of a passage, in the same measure, the next one may repeat."""
    drop_phrases: list[str] = []
    """Paragraphs with one of these are left out of the library."""
    embedder: str = ""
    """Name or folder of a sentence-transformers model (extra `dense`); with `embedder_url`, the name of the model
    there. Empty: search by words alone."""
    embedder_url: str = ""
    """Address of an OpenAI-compatible server that embeds, such as http://127.0.0.1:8001/v1."""
    embedder_key: SecretReference = ""
    embedder_languages: list[str] = []
    """Languages that the embedder speaks, such as en, zh. Empty: what is known of the model, else all."""
    vector_index: Literal["faiss", "milvus"] = "faiss"
    milvus_uri: str = ""
    """A file (milvus-lite), or the address of a server or cluster."""
    milvus_token: SecretReference = ""
    reranker: str = ""
    """Name or folder of a cross-encoder (extra `dense`); with `reranker_url`, the name of the model there."""
    reranker_url: str = ""
    """Address of a server with a /score endpoint, such as vLLM."""
    judge: Literal["", "llm"] = ""
    """Who confirms, before a reply goes out by itself, that the passages answer the comment. Empty: nobody;
    llm: the model of `generator`."""

    @model_validator(mode="after")
    def _parts_fit(self) -> "KnowledgeSettings":
        if self.overlap * 2 > self.passage_size:
            raise ValueError("overlap may be at most half of passage_size")
        for url, model in (("embedder_url", "embedder"), ("reranker_url", "reranker")):
            if getattr(self, url) and not getattr(self, model):
                raise ValueError(f"{url} needs {model}, the name of the model there")
        if self.embedder and self.vector_index == "milvus" and not self.milvus_uri:
            raise ValueError('vector_index = "milvus" needs milvus_uri, a file or an address')
        return self


class VoicesSettings(Section):
    """Versions of the creator's own way of writing: LoRA weights that the vLLM server answers with."""

    canary_share: float = Field(default=0.1, gt=0, lt=1)
    """Part of the comments that a canary answers where `voices promote --share` names none."""
    canary_sure: float = Field(default=0.99, gt=0.5, lt=1)
    """A canary is taken back once it is as sure as this that people reject it more often than the live voice."""
    canary_least: int = Field(default=20, ge=1)
    """Verdicts on a canary's drafts before it may be taken back."""


class ReviewSettings(Section):
    """The review desk."""

    undo_s: float = Field(default=8.0, ge=0, le=_WEEK_S)
    """Seconds that a reply which a person approved waits before it goes out, so that it can be taken back."""
    hold_s: float = Field(default=120.0, gt=0, le=_WEEK_S)
    """How long a comment that a person has opened is kept from others, after the last sign of that person."""


class WebhookSettings(Section):
    """An address that is told when something needs a person."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    url: SecretReference
    """Where to: `env:NAME` or `file:PATH`, as such addresses hold a secret."""
    format: Literal["json", "slack", "feishu", "dingtalk"] = "json"
    secret: SecretReference = ""
    """What notices are signed with; with slack, which signs nothing, empty."""
    events: list[Literal["needs_review", "failed", "stopped"]] = ["needs_review", "failed", "stopped"]
    channels: list[str] = []
    """Names of channels; empty: all."""
    language: Language = "en"


class ServiceSettings(Section):
    workers: int = Field(default=8, ge=1, le=256)
    """Drafts made at the same time by `extractive`; `vllm` makes as many as its servers take, see
    `generator.concurrency`."""
    batch: int = Field(default=32, ge=1, le=500)
    """Replies sent at the same time, at most, per channel."""
    poll_interval_s: float = Field(default=30.0, ge=0)
    beat_s: float = Field(default=1.0, gt=0)
    """How often to look for work that another process left."""
    lease_s: float = Field(default=90.0, gt=0)
    """How long a process may hold a comment before another takes it over."""
    call_timeout_s: float = Field(default=20.0, gt=0)
    """Longest call to a platform."""
    max_attempts: int = Field(default=5, ge=1)
    """Tries before a comment is shown as failed."""
    retry_s: float = Field(default=5.0, ge=0)
    """First wait after a failure; doubles with each further one, up to `retry_max_s`."""
    retry_max_s: float = Field(default=600.0, ge=0)
    poll_share: float = Field(default=0.03, ge=0, le=0.5)
    """Part of a platform's units for a day that is kept for polls, where it counts units."""
    metered_poll_s: float = Field(default=300.0, gt=0)
    """And at least as many units as polls in this interval need, up to half of them all."""
    shadow: bool = False
    """Nothing is sent on any channel: this process builds no sender, and what would be sent goes to a person."""
    shutdown_s: float = Field(default=8.0, ge=0)
    """How long to finish what is in hand when asked to stop."""


class Settings(BaseSettings):
    """Everything that can be set. Built by `load`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", hide_input_in_errors=True
    )

    data_dir: Path = Path("data")
    language: Language = "en"
    """Of messages and pages where the reader did not choose."""
    database: DatabaseSettings = DatabaseSettings()
    web: WebSettings = WebSettings()
    log: LogSettings = LogSettings()
    generator: GeneratorSettings = GeneratorSettings()
    persona: PersonaSettings = PersonaSettings()
    personas: dict[str, PersonaSettings] = {}
    """More personas, for channels that ask for one by its name: a table [personas.NAME] with the keys of [persona]; a
    key that is left out is as in [persona]."""
    policy: PolicySettings = PolicySettings()
    knowledge: KnowledgeSettings = KnowledgeSettings()
    voices: VoicesSettings = VoicesSettings()
    training: TrainingSettings = TrainingSettings()
    service: ServiceSettings = ServiceSettings()
    review: ReviewSettings = ReviewSettings()
    webhooks: list[WebhookSettings] = []
    """Who is told when a comment waits for a person or has failed: one `[[webhooks]]` for each; docs/review.md has an
    example of every kind."""
    tools: list[ToolSettings] = []
    """What the model may call: one `[[tools]]` for each; docs/serving.md has an example of every kind."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes before the file, which `load` hands over as arguments."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _leases_outlast_the_work(self) -> "Settings":
        # A judge is asked after the reply was written, with a deadline of its own.
        drafting = self.generator.deadline_s * (2 if self.knowledge.judge else 1)
        needed = max(drafting, 2 * self.service.call_timeout_s)
        if self.service.lease_s <= needed:
            raise ValueError(
                f"service.lease_s must be over {needed:g}: longer than generator.deadline_s "
                "(twice that with a judge) and than twice service.call_timeout_s"
            )
        return self

    @model_validator(mode="after")
    def _each_tool_has_its_own_name(self) -> "Settings":
        names = [tool.name for tool in self.tools]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"tools: two are called {twice[0]!r}; give each a name of its own")
        return self

    @model_validator(mode="after")
    def _each_webhook_has_its_own_name(self) -> "Settings":
        names = [hook.name for hook in self.webhooks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"webhooks: two are called {twice[0]!r}; give each a name of its own")
        return self

    @model_validator(mode="after")
    def _judge_has_a_model(self) -> "Settings":
        if self.knowledge.judge == "llm" and not (self.generator.base_url and self.generator.model):
            raise ValueError('knowledge.judge = "llm" needs generator.base_url and generator.model')
        return self

    @property
    def database_url(self) -> str:
        """The ledger's address, a reference resolved. Raises SettingsError."""
        if not self.database.url:
            return f"sqlite:///{self.data_dir / 'ledger.db'}"
        return resolve(self.database.url) if _is_reference(self.database.url) else self.database.url


def load(path: Path | None = None, **given: Any) -> Settings:
    """Settings from `path` (default: rejoinder.toml in this folder, if there is one) and the environment.

    `given` are top-level keys that the caller fixes, under what the environment says. Raises SettingsError.
    """
    file = path or Path(FILE)
    data = _read(file) if path is not None or file.exists() else {}
    _refuse_password(data, file)
    _refuse_unknown_variables(os.environ)
    try:
        return Settings(**{**data, **given})
    except UnreadableVariable as error:
        raise SettingsError(f"the environment: {error}; write REJOINDER__SECTION__KEY=value") from error
    except ValidationError as error:
        raise SettingsError(f"{_origin(error, file)}: {_first_problem(error)}") from error


def resolve(reference: str) -> str:
    """The secret behind `env:NAME` or `file:PATH`; an empty reference is an empty secret. Raises SettingsError."""
    if not reference:
        return ""
    kind, _, name = reference.partition(":")
    if kind == "env":
        if name not in os.environ:
            raise SettingsError(f"the environment variable {name} is not set; set it, settings refer to it")
        return os.environ[name]
    try:
        return Path(name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the secret file {name} cannot be read: {error}") from error


def _is_reference(value: str) -> bool:
    return value.startswith(("env:", "file:"))


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be read: {error.strerror}; 'rejoinder init' writes one"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not valid TOML: {error}") from error


def _refuse_password(data: Mapping[str, Any], file: Path) -> None:
    database = data.get("database")
    url = database.get("url") if isinstance(database, Mapping) else None
    if not isinstance(url, str) or not url or _is_reference(url):
        return
    try:
        password = make_url(url).password
    except ArgumentError:
        return  # connecting says what is wrong with it
    if password:
        raise SettingsError(
            f'{file}: database.url holds a password; put the address in the environment and write url = "env:NAME"'
        )


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    # pydantic-settings ignores variables that match no field: a typing error would go unnoticed.
    for name in environment:
        if not name.upper().startswith(PREFIX):
            continue
        section = name[len(PREFIX) :].lower().split("__")[0]
        if section not in Settings.model_fields:
            raise SettingsError(
                f"{name}: there is no setting {section!r}; known: {', '.join(Settings.model_fields)}"
            )


def _origin(error: ValidationError, file: Path) -> str:
    path = "__".join(str(part) for part in error.errors()[0]["loc"]).upper()
    variable = PREFIX + path
    return variable if path and variable in {name.upper() for name in os.environ} else str(file)


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    message = {"extra_forbidden": "there is no such key"}.get(
        first["type"], first["msg"].removeprefix("Value error, ")
    )
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{key}: {message}{more}" if key else f"{message}{more}"
