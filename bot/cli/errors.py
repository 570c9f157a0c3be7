"""Every error of the layers below as one line for the user, and the exit code."""

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from typer.exceptions import TyperException

from adapters.errors import AdapterError
from adapters.registry import BadOptions, UnknownPlatform
from bot.connecting import AnotherAccount
from bot.demo import DemoStuck
from bot.generator import GeneratorError
from bot.oauth.client import NotConnected
from bot.plain import plain
from bot.settings import SettingsError
from bot.store.access import AccessRefused
from bot.store.channels import ChannelExists, NoSuchChannel
from bot.store.deciding import VerdictRefused
from bot.store.ledger import LedgerError
from bot.store.voices import ChangeRefused
from bot.voices.files import BadVoice
from bot.web.server import CannotListen
from knowledge.store import LibraryError

BAD_USAGE = (SettingsError, BadOptions, UnknownPlatform, CannotListen)
FAILED = (
    AccessRefused,
    AdapterError,
    AnotherAccount,
    BadVoice,
    ChangeRefused,
    ChannelExists,
    DemoStuck,
    GeneratorError,
    LedgerError,
    LibraryError,
    NoSuchChannel,
    NotConnected,
    VerdictRefused,
)


class Failure(TyperException):
    """Ends the command with one line on stderr and exit code 1."""

    exit_code = 1


class Misuse(TyperException):
    """Ends the command with one line on stderr and exit code 2."""

    exit_code = 2


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the layers below raise for the user's eyes into Failure or Misuse."""
    try:
        yield
    except BAD_USAGE as error:
        raise Misuse(plain(str(error))) from error
    except FAILED as error:
        raise Failure(plain(str(error))) from error
    except BrokenPipeError as error:
        # The reader went away (`| head`); what is still buffered must not be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from error
    except sqlite3.Error as error:
        raise Failure(f"a file of the demo cannot be used ({error}); start afresh with --fresh") from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise Failure(f"{where}{error.strerror or error}; check that it exists and its rights") from error
