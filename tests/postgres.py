"""A PostgreSQL cluster of the tests' own: made in a temporary folder, on loopback, thrown away afterwards."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

USER = "rejoinder"


def binaries() -> Path | None:
    """The folder of initdb and pg_ctl; None when PostgreSQL's server is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@contextmanager
def cluster() -> Iterator[str]:
    """Run a cluster; yields the address of its server, without a database name."""
    folder = binaries()
    if folder is None:
        raise RuntimeError("PostgreSQL's server programs are not installed")
    home = Path(tempfile.mkdtemp(prefix="rejoinder-pg-"))
    # PostgreSQL refuses to run as root; Debian's package brings the account it runs as.
    account = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    if account:
        shutil.chown(home, **account)
    data, port = home / "data", _free_port()
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={home} -c fsync=off"

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [folder / program, *arguments], check=True, cwd=home, stdout=subprocess.DEVNULL, **account
        )

    run("initdb", "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync")
    run("pg_ctl", "-D", str(data), "-w", "-l", str(home / "log"), "-o", options, "start")
    try:
        yield f"postgresql://{USER}@127.0.0.1:{port}"
    finally:
        run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(home, ignore_errors=True)


def create_database(server: str) -> str:
    """Make an empty database on `server`; returns its address."""
    name = f"t{uuid4().hex}"
    folder = binaries()
    port = server.rpartition(":")[2]
    command = [
        str(folder / "createdb") if folder else "createdb",
        "-h",
        "127.0.0.1",
        "-p",
        port,
        "-U",
        USER,
        name,
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return f"{server}/{name}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
