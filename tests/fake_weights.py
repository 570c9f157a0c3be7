"""LoRA weights for tests, and what a vLLM server says to them: seen on the real one, see tests/vllm/README.md."""

import json
import re
from pathlib import Path

HIDDEN, MAX_RANK = 256, 16
WEIGHTS = "adapter_model.safetensors"


def write_weights(folder: Path, *, rank: int = 8, hidden: int = HIDDEN, base: str = "base") -> Path:
    """A LoRA folder whose files have the right form; the numbers in it are zeros."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "peft_type": "LORA",
        "base_model_name_or_path": base,
        "r": rank,
        "lora_alpha": 16,
        "target_modules": ["q_proj"],
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))
    layer = "base_model.model.model.layers.0.self_attn.q_proj"
    shapes = {f"{layer}.lora_A.weight": [rank, hidden], f"{layer}.lora_B.weight": [hidden, rank]}
    (folder / WEIGHTS).write_bytes(_safetensors(shapes))
    return folder


def refusal(path: str, *, hidden: int = HIDDEN, max_rank: int = MAX_RANK) -> tuple[int, str] | None:
    """Status and message with which a server refuses the weights at `path`; None where it takes them.

    As the real one, it takes weights for a base with smaller matrices.
    """
    folder = Path(path)
    if not (folder / "adapter_config.json").is_file():
        return 404, "No adapter found for <path>"
    try:
        config = json.loads((folder / "adapter_config.json").read_text())
        shapes = _shapes((folder / WEIGHTS).read_bytes())
    except (ValueError, OSError) as error:
        return 500, _worker_failed(str(error))
    if config["r"] > max_rank:
        return 500, _worker_failed(f"LoRA rank {config['r']} is greater than max_lora_rank {max_rank}.")
    widest = max(
        (shape[1] for name, shape in shapes.items() if re.search(r"[qkv]_proj\.lora_A", name)), default=0
    )
    if widest > hidden:
        return 500, _worker_failed(
            f"The size of tensor a ({hidden}) must match the size of tensor b ({widest}) at non-singleton dimension 1"
        )
    return None


def _worker_failed(why: str) -> str:
    return (
        f"Call to add_lora method failed: Worker failed with error '{why}', "
        "please check the stack trace above for the root cause"
    )


def _safetensors(shapes: dict[str, list[int]]) -> bytes:
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 2 * shape[0] * shape[1]
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    written = json.dumps(header).encode()
    return len(written).to_bytes(8, "little") + written + bytes(at)


def _shapes(data: bytes) -> dict[str, list[int]]:
    length = int.from_bytes(data[:8], "little")
    if length > 100_000_000:
        raise ValueError("Error while deserializing header: header too large")
    header = json.loads(data[8 : 8 + length])
    tensors = {name: tensor for name, tensor in header.items() if name != "__metadata__"}
    if max(tensor["data_offsets"][1] for tensor in tensors.values()) != len(data) - 8 - length:
        raise ValueError("Error while deserializing header: incomplete metadata, file not fully covered")
    return {name: tensor["shape"] for name, tensor in tensors.items()}
