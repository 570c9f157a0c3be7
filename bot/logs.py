"""Logs: one line an event on stderr, as text on a terminal and as JSON elsewhere; never on stdout."""

import logging
import sys
from typing import Any, TextIO

import structlog
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import RequestPayloadError
from structlog.typing import EventDict, Processor

from bot.plain import plain
from bot.settings import LogSettings

# Libraries that complain about documents which `ingest` reports itself.
_NOISY = ("trafilatura", "htmldate", "justext", "pypdfium2", "charset_normalizer")
_SECRET = ("token", "secret", "password", "api_key", "authorization", "cookie")
_MULTILINE = frozenset({"exception", "stack"})


def configure(settings: LogSettings, *, level: str | None = None, stream: TextIO | None = None) -> None:
    """Send the logs of this process to `stream` (default: stderr). `level` takes the place of the settings'."""
    out = stream if stream is not None else sys.stderr
    lowest = logging.getLevelNamesMapping()[(level if level is not None else settings.level).upper()]
    as_text = settings.format == "text" or (settings.format == "auto" and out.isatty())
    shared: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S" if as_text else "iso", utc=not as_text),
    ]
    ending: list[Processor] = [
        structlog.processors.format_exc_info,
        hide_secrets,
        escape,
        _renderer(as_text, out),
    ]
    structlog.configure(
        processors=[*shared, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    _route_standard_library(shared, ending, out, max(lowest, logging.WARNING))


def hide_secrets(_: Any, __: str, event: EventDict) -> EventDict:
    """Values under a secret's name don't reach the log, whoever put them there."""
    return {key: "[hidden]" if _is_secret(key) else value for key, value in event.items()}


def escape(_: Any, __: str, event: EventDict) -> EventDict:
    """What a stranger wrote can neither steer the terminal nor fake a line of the log."""
    return {
        key: plain(value, one_line=key not in _MULTILINE) if isinstance(value, str) else value
        for key, value in event.items()
    }


def _is_secret(key: str) -> bool:
    return any(part in key.lower() for part in _SECRET)


def _renderer(as_text: bool, out: TextIO) -> Processor:
    if as_text:
        return structlog.dev.ConsoleRenderer(colors=out.isatty())
    return structlog.processors.JSONRenderer(ensure_ascii=False, default=str)


def _route_standard_library(
    shared: list[Processor], ending: list[Processor], out: TextIO, level: int
) -> None:
    handler = logging.StreamHandler(out)
    strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[strip, *ending])
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.getLogger("aiohttp.server").addFilter(is_own_fault)


def is_own_fault(record: logging.LogRecord) -> bool:
    """False for a request that is no HTTP. Its error repeats the line that was wrong, and with it cookies and tokens;
    and anybody can send as many as they like.
    """
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | RequestPayloadError)
