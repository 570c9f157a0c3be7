"""Runs scripts that use aiogram and discord.py, in a virtual environment of their own under `.cache/`.

aiogram asks for an older pydantic than the service has, so that they cannot share one.
"""

import asyncio
import fcntl
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

PINS = (
    "aiogram==3.31.0",
    "discord.py==2.7.1",
    "aiofiles==25.1.0",
    "aiohappyeyeballs==2.7.1",
    "aiohttp==3.14.5",
    "aiosignal==1.4.0",
    "annotated-types==0.8.0",
    "attrs==26.1.0",
    "certifi==2026.10.18",
    "frozenlist==1.8.0",
    "idna==3.20",
    "magic-filter==1.0.12",
    "multidict==7.2.1",
    "propcache==0.5.4",
    "pydantic==2.13.5",
    "pydantic_core==2.46.5",
    "typing-inspection==0.4.5",
    "typing_extensions==4.16.0",
    "yarl==1.25.1",
)
HOME = Path(__file__).parents[2] / ".cache" / "chat-libraries"
SCRIPTS = Path(__file__).parent


def install() -> str:
    """Make the environment unless it is there; an empty string, or why it cannot be made."""
    HOME.parent.mkdir(parents=True, exist_ok=True)
    with (HOME.parent / "chat-libraries.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = HOME / "ready"
        wanted = "\n".join((sys.version, *PINS))
        if ready.exists() and ready.read_text() == wanted:
            return ""
        shutil.rmtree(HOME, ignore_errors=True)
        pip = [str(HOME / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for command in ([sys.executable, "-m", "venv", str(HOME)], [*pip, *PINS]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
                return f"the chat libraries cannot be installed: {reason}"
        ready.write_text(wanted)
    return ""


async def drive(script: str, *arguments: str) -> Any:
    """What the script says, which is one line of JSON."""
    process = await asyncio.create_subprocess_exec(
        str(HOME / "bin" / "python"),
        "-I",
        str(SCRIPTS / script),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()[-3000:]
    return json.loads(out)
