"""Reads a PDF in a process of its own, with limits: a file of a few kilobytes can unpack to more than the machine
holds, and pdfium, which finds that out too late, ends the process that it runs in."""

import json
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from typing import Any

from knowledge.records import Loaded, LoadError, Section

MEMORY = 2 << 30
"""Bytes of address space; 10,000 pages of plain text take less than half of it."""
CPU_S = 600
"""Seconds of processor time."""
_PROGRAM = """\
import sys
memory, cpu_s, *sys.path = sys.argv[1:]
from knowledge.pdf_worker import main
main(int(memory), int(cpu_s))
"""
_ENCODING = "utf-8", "surrogatepass"


def load_pdf_apart(
    source: str, data: bytes, title: str, *, memory: int = MEMORY, cpu_s: int = CPU_S
) -> Loaded:
    """As `knowledge.pdf.load_pdf`. Raises LoadError also when reading takes more than these limits, or crashes."""
    command = [sys.executable, "-c", _PROGRAM, str(memory), str(cpu_s), *sys.path]
    try:
        done = subprocess.run(command, input=data, capture_output=True, check=False)  # noqa: S603 - our own program
    except OSError as error:
        raise LoadError(
            source,
            f"cannot be read, as no process starts for it ({error.strerror}); free memory and try again",
        ) from error
    if done.returncode:
        raise LoadError(source, _why(done.returncode, memory, cpu_s))
    told = json.loads(done.stdout.decode(*_ENCODING))
    if "refused" in told:
        raise LoadError(source, told["refused"])
    loaded = from_json(told)
    return replace(loaded, title=loaded.title or title)


def _why(code: int, memory: int, cpu_s: int) -> str:
    if -code == getattr(signal, "SIGXCPU", None):
        return f"takes more than {cpu_s} s to read; split it into smaller files"
    return (
        f"needs more than {memory >> 20} MB of memory or crashes its reader (a bomb?); "
        "open it and save it as PDF again, or split it"
    )


def main(memory: int, cpu_s: int) -> None:
    """Read the file on stdin; write what it holds, or why it is refused, to stdout."""
    _limit(memory, cpu_s)
    from knowledge.pdf import load_pdf  # noqa: PLC0415 - only here, within the limits

    try:
        told = asdict(load_pdf("", sys.stdin.buffer.read(), ""))
    except LoadError as error:
        told = {"refused": error.message}
    sys.stdout.buffer.write(json.dumps(told, ensure_ascii=False).encode(*_ENCODING))


def _limit(memory: int, cpu_s: int) -> None:
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - Windows has none

    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def from_json(told: dict[str, Any]) -> Loaded:
    """What `dataclasses.asdict` made of a Loaded, after a way through JSON."""
    sections = (
        Section(**one | {name: tuple(one[name]) for name in ("headings", "paragraphs")})
        for one in told["sections"]
    )
    return Loaded(**told | {"sections": tuple(sections), "notes": tuple(told["notes"])})
