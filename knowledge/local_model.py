"""Loads models of sentence-transformers, from a folder or by name."""

from pathlib import Path
from typing import Any

from knowledge.embedder import ModelError


def load_model(kind: str, model: str, device: str, download: bool) -> Any:
    """`kind` is the name of a class of sentence-transformers. Raises ModelError with the cure."""
    try:
        import sentence_transformers  # noqa: PLC0415 - seconds, and only in the extra
        from safetensors import SafetensorError  # noqa: PLC0415
        from transformers.utils import logging  # noqa: PLC0415
    except ImportError as error:
        raise ModelError(
            "sentence-transformers is not installed; run: pip install 'rejoinder[dense]'"
        ) from error
    logging.disable_progress_bar()
    try:
        return getattr(sentence_transformers, kind)(model, device=device, local_files_only=not download)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise ModelError(_cure(model, error)) from error


def _cure(model: str, error: Exception) -> str:
    said = " ".join(str(error).split())[:200]
    if Path(model).exists():
        return f"the model in {model} cannot be loaded ({said}); point to a complete sentence-transformers folder"
    return (
        f"the model {model!r} is not on this machine ({said}); fetch it with `hf download {model}`, "
        "or give the path of its folder"
    )
