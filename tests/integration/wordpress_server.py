"""Starts a real WordPress on loopback, from Debian's packages, with a MariaDB of its own in a temporary folder."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.integration.isso_server import LAUNCH

PACKAGES = "wordpress php-cli php-mysql php-curl php-mbstring php-xml mariadb-server"
SOURCE = Path("/usr/share/wordpress")
SCRIPTS = Path(__file__).with_name("wordpress")
START_S = 60.0
# An empty folder is enough: without grants MariaDB needs none of its own tables.
DATABASE = (
    "--no-defaults",
    "--skip-networking",
    "--skip-grant-tables",
    "--innodb-buffer-pool-size=16M",
    "--innodb-log-file-size=4M",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
)
PHP = ("-d", "opcache.enable_cli=1", "-d", "display_errors=0", "-d", "log_errors=1")


@dataclass(frozen=True)
class WordPressServer:
    url: str
    """Of the site, which is under a path: http://127.0.0.1:PORT/blog."""
    passwords: Mapping[str, str]
    """Application passwords of `creator` (administrator), `writer` (author), `reader` and `hasty` (subscribers)."""
    home: Path
    pids: tuple[int, ...]
    """Of the database and of the web server."""


def missing() -> str:
    """An empty string, or why WordPress cannot be started here."""
    programs = [name for name in ("php", "mariadbd", "mariadb") if _program(name) is None]
    if not programs and (SOURCE / "wp-settings.php").exists():
        return ""
    return f"WordPress, PHP or MariaDB is not installed (Debian: apt-get install {PACKAGES})"


@contextlib.contextmanager
def running() -> Iterator[WordPressServer]:
    """A WordPress with four users and nothing else; everything of it is gone afterwards."""
    # A socket's address has at most 107 characters: pytest's folders are too deep for it.
    home = Path(tempfile.mkdtemp(prefix="rejoinder-wp-"))
    url = f"http://127.0.0.1:{_free_port()}/blog"
    environment = {
        **os.environ,
        "REJOINDER_WP_HOME": str(home / "site"),
        "REJOINDER_WP_SOCKET": str(home / "db.sock"),
        "REJOINDER_WP_URL": url,
    }
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        database = stack.enter_context(_database(home))
        _lay_out(home / "site")
        passwords = _install(environment)
        web = stack.enter_context(_web_server(home, url, environment))
        yield WordPressServer(url, passwords, home, (database, web))


def _lay_out(site: Path) -> None:
    """WordPress's own files by links, beside our configuration."""
    (site / "wp-content" / "mu-plugins").mkdir(parents=True)
    for entry in SOURCE.iterdir():
        if entry.name not in {"wp-config.php", "wp-content", ".htaccess"}:
            (site / entry.name).symlink_to(entry)
    shutil.copy(SCRIPTS / "wp-config.php", site)
    shutil.copy(SCRIPTS / "mu-plugin.php", site / "wp-content" / "mu-plugins")


def _install(environment: Mapping[str, str]) -> dict[str, str]:
    done = subprocess.run(
        [_found("php"), *PHP, str(SCRIPTS / "install.php")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        passwords: dict[str, str] = json.loads(done.stdout)
    except ValueError as error:
        raise RuntimeError(
            f"WordPress cannot be set up: {done.stdout[-500:]} {done.stderr[-500:]}"
        ) from error
    return passwords


@contextlib.contextmanager
def _database(home: Path) -> Iterator[int]:
    data, at = home / "db", home / "db.sock"
    data.mkdir()
    # MariaDB refuses to run as root unless told to.
    who = ["--user=root"] if os.geteuid() == 0 else []
    command = [_found("mariadbd"), *DATABASE, *who, f"--datadir={data}", f"--socket={at}"]
    command += [f"--pid-file={home / 'db.pid'}"]
    create = [_found("mariadb"), "--no-defaults", f"--socket={at}", "-e", "CREATE DATABASE wordpress"]
    with _process(command, home / "db.log", os.environ) as process:
        _wait_until(
            lambda: subprocess.run(create, capture_output=True, check=False).returncode == 0,
            process,
            home / "db.log",
        )
        yield process.pid


@contextlib.contextmanager
def _web_server(home: Path, url: str, environment: Mapping[str, str]) -> Iterator[int]:
    host, port = url.removeprefix("http://").removesuffix("/blog").split(":")
    command = [_found("php"), *PHP, "-S", f"{host}:{port}", str(SCRIPTS / "router.php")]

    def answers() -> bool:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return True
        return False

    with _process(command, home / "php.log", environment) as process:
        _wait_until(answers, process, home / "php.log")
        yield process.pid


@contextlib.contextmanager
def _process(
    command: list[str], log: Path, environment: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that ends with the block, or with the tests, however they end; its children with it."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, *command],
            stdout=out,
            stderr=out,
            env=environment,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        for how in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)


def _wait_until(ready: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{log.stem} ended at once: {log.read_text()[-500:]}")
        if ready():
            return
        time.sleep(0.05)
    raise RuntimeError(f"{log.stem} did not answer within {START_S:g} s: {log.read_text()[-500:]}")


def _program(name: str) -> str | None:
    # Debian keeps servers in /usr/sbin, which is not in everybody's PATH.
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def _found(name: str) -> str:
    found = _program(name)
    if found is None:
        raise RuntimeError(missing())
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
