"""The real vLLM CPU server as a test tool; `python -m tests.vllm.server` serves the fixture model until Ctrl-C."""

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.vllm import install

BASE = "base"
MAX_LORA_RANK, CONTEXT = 16, 2048
START_S = 300.0
# The server dies with the tests, even when they are killed: PR_SET_PDEATHSIG is 1.
LAUNCH = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
os.execv(sys.argv[1], sys.argv[1:])
"""
# More than are loaded between two starts, since unloading frees no place: once the last one is taken, the CPU build
# answers the base model's requests with it.
MAX_LORAS = 64
FLAGS = (
    *("--served-model-name", BASE, "--dtype", "bfloat16", "--max-model-len", str(CONTEXT)),
    *("--enable-lora", "--max-lora-rank", str(MAX_LORA_RANK), "--max-loras", str(MAX_LORAS)),
    *("--max-cpu-loras", str(MAX_LORAS)),
    *("--max-num-seqs", "16", "--block-size", "32", "--enable-prompt-tokens-details"),
    *("--enable-auto-tool-choice", "--tool-call-parser", "hermes"),
    *("--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}'),
)
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_SERVER_DEV_MODE": "1",  # /sleep and /wake_up
    "PYTHONWARNINGS": "ignore",
}


class VLLMServer:
    """One vLLM process group on loopback. `log` is written anew at every start.

    Raises RuntimeError from `start` when the server ends or is not ready within `START_S` seconds; the message has
    the last lines of the log.
    """

    def __init__(
        self,
        log: Path,
        *,
        port: int = 0,
        model: Path | None = None,
        flags: tuple[str, ...] = (),
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.log = log
        self.port = port or free_port()
        self.start_s = 0.0
        self._model = model or install.MODEL
        self._flags = flags
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, without `/v1`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def start(self, *, warm: bool = True) -> None:
        """Start and wait until it answers; `warm` also makes it compile what the first requests would wait for."""
        self.launch()
        self.wait_ready()
        if warm:
            self.warm_up()

    def launch(self) -> None:
        """Start without waiting. The server ends with the thread that calls this."""
        vllm = [str(install.ENVIRONMENT / "bin" / "vllm"), "serve", str(self._model)]
        command = [str(install.PYTHON), "-c", LAUNCH, str(install.PYTHON), *vllm, *FLAGS, *self._flags]
        address = ["--host", "127.0.0.1", "--port", str(self.port)]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, *address],
                stdout=log,
                stderr=log,
                env=_environment() | dict(self._environment),
                start_new_session=True,
            )

    def warm_up(self) -> None:
        """The first request of each kind compiles something, for half a minute with log-probabilities."""
        body = {"model": BASE, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
        post(f"{self.url}/v1/chat/completions", {**body, "n": 2, "logprobs": True})

    def wait(self) -> None:
        """Until it ends by itself, which is a RuntimeError."""
        if self._process is not None:
            self._process.wait()
        raise RuntimeError(f"vLLM ended: {self._tail()}")

    def stop(self) -> None:
        """End it politely, and with force after ten seconds. Safe to call twice."""
        self._end(signal.SIGTERM)

    def kill9(self) -> None:
        """What a crash or the kernel's out-of-memory killer does: all its processes are gone at once."""
        self._end(signal.SIGKILL)

    def restart(self, *, warm: bool = True) -> None:
        """On the same port. Voices that were loaded at run time are forgotten."""
        self.stop()
        self.start(warm=warm)

    def rss_mb(self) -> float:
        """Resident memory of all its processes, in megabytes, with shared pages counted once in each."""
        group = subprocess.run(
            ["ps", "-o", "rss=", "-g", str(self.pid)], capture_output=True, text=True, check=False
        )
        return sum(int(line) for line in group.stdout.split()) / 1024

    def wait_ready(self) -> None:
        began = time.monotonic()
        while time.monotonic() - began < START_S:
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"vLLM ended while starting: {self._tail()}")
            if _answers(f"{self.url}/health"):
                _progress("")
                self.start_s = time.monotonic() - began
                return
            _progress(f"waiting for vLLM, {time.monotonic() - began:.0f} s (log: {self.log})")
            time.sleep(0.5)
        self.kill9()
        raise RuntimeError(f"vLLM was not ready within {START_S:g} s: {self._tail()}")

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        _signal_group(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
        _signal_group(process.pid, signal.SIGKILL)
        process.wait()

    def _tail(self) -> str:
        return self.log.read_text("utf-8", "replace")[-1500:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    if reason := install.missing():
        sys.exit(reason)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server = VLLMServer(install.HOME / "server.log", port=options.port)
    print("Starting vLLM (about a minute) ...", file=sys.stderr)
    try:
        server.start()
        for voice in ("amber", "cobalt"):
            load_voice(server.url, voice, install.VOICES / voice)
        print(_settings(server), flush=True)
        server.wait()
    except RuntimeError as problem:
        sys.exit(str(problem))
    except KeyboardInterrupt:
        print("\nStopping vLLM ...", file=sys.stderr)
    finally:
        server.stop()


def _settings(server: VLLMServer) -> str:
    return f"""
vLLM answers on {server.url} (started in {server.start_s:.0f} s; log: {server.log}). Put this into rejoinder.toml:

[generator]
kind = "vllm"
base_url = "{server.url}/v1"
model = "{BASE}"  # or a voice: "amber", "cobalt"

The voices lie in {install.VOICES}. Ctrl-C stops it."""


def load_voice(url: str, name: str, path: Path) -> tuple[int, Any]:
    return post(f"{url}/v1/load_lora_adapter", {"lora_name": name, "lora_path": str(path.absolute())})


def unload_voice(url: str, name: str) -> tuple[int, Any]:
    return post(f"{url}/v1/unload_lora_adapter", {"lora_name": name})


def post(url: str, body: Any, timeout: float = 120.0) -> tuple[int, Any]:
    """Status, and the body: parsed where it is JSON, else as text. Raises URLError when nobody answers."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return _sent(request, timeout)


def get(url: str, timeout: float = 30.0) -> tuple[int, Any]:
    return _sent(urllib.request.Request(url), timeout)


def _sent(request: urllib.request.Request, timeout: float) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, _parsed(answer.read())
    except urllib.error.HTTPError as refusal:
        return refusal.code, _parsed(refusal.read())


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


def _answers(url: str) -> bool:
    try:
        return get(url, timeout=2)[0] == 200
    except OSError:
        return False


def _signal_group(leader: int, how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, how)


def _environment() -> dict[str, str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("VLLM_", "PYTHON"))}
    return inherited | ENVIRONMENT


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


if __name__ == "__main__":
    main()
