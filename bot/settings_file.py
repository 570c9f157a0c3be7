"""Writes a rejoinder.toml with every key at its default, made from the settings themselves."""

import ast
import inspect
import json
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bot import settings as settings_module
from bot import training_settings
from bot.persona import Persona
from bot.settings import Settings

_HEAD = """\
# Settings of Rejoinder. Each key stands at its default; delete what you don't change.
# Every key can also be set in the environment, which goes first: REJOINDER__SECTION__KEY, e.g. REJOINDER__WEB__PORT.
# Secrets never stand here: write "env:NAME" or "file:PATH", and keep the secret there.
"""


def settings_text() -> str:
    """The file: loads to the defaults, and holds each key of `Settings`, in order."""
    told = _docstrings()
    lines = [_HEAD, *_plain_keys(Settings, "", told)]
    lines += _sections(Settings, "", told)
    return "\n".join(lines) + "\n"


def _sections(model: type[BaseModel], above: str, told: dict[tuple[str, str], str]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        section = _section(field)
        if section is not None:
            yield from ("", *_comment(told.get((section.__name__, ""), "")), f"[{above}{name}]")
            yield from _plain_keys(section, name, told)
            yield from _sections(section, f"{above}{name}.", told)


_TABLES = frozenset({"tools", "personas", "webhooks", "rewards"})


def _plain_keys(model: type[BaseModel], path: str, told: dict[tuple[str, str], str]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if _section(field) is not None:
            continue
        choices = _choices(field.annotation)
        hint = f"One of: {', '.join(choices)}." if choices else ""
        yield from _comment(" ".join(part for part in (told.get((model.__name__, name), ""), hint) if part))
        value = field.get_default(call_default_factory=True)
        # TOML has no null: a key that is not set stands behind a #, with what then holds. So does what holds tables,
        # which TOML lets nobody add to.
        set_here = value is not None and name not in _TABLES
        held = value if value is not None else _in_force(path, name)
        yield f"{name} = {_toml(held)}" if set_here else f"# {name} = {_toml(held)}"


def _in_force(path: str, name: str) -> Any:
    return getattr(Persona(), name) if path == "persona" else ""


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _choices(annotation: Any) -> tuple[str, ...]:
    origin = get_origin(annotation)
    if origin is Literal:
        return tuple(str(choice) for choice in get_args(annotation))
    if origin in (Union, types.UnionType):
        return next((found for part in get_args(annotation) if (found := _choices(part))), ())
    return ()


def _comment(text: str) -> list[str]:
    return [f"# {' '.join(line.split())}" for line in text.replace("`", "").splitlines() if line.strip()]


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, dict):
        pairs = (f"{key} = {_toml(item)}" for key, item in value.items())
        return f"{{ {', '.join(pairs)} }}" if value else "{}"
    # A TOML string is a JSON string but for \u escapes of surrogates, which no default holds.
    return json.dumps(value.as_posix() if isinstance(value, Path) else str(value), ensure_ascii=False)


def _docstrings() -> dict[tuple[str, str], str]:
    """What the modules of settings say of each class ("" for the key) and each of its fields."""
    found: dict[tuple[str, str], str] = {}
    modules = (settings_module, training_settings)
    for node in (node for module in modules for node in ast.parse(inspect.getsource(module)).body):
        if isinstance(node, ast.ClassDef):
            found[node.name, ""] = ast.get_docstring(node) or ""
            for field, text in zip(node.body, node.body[1:], strict=False):
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and _is_text(text):
                    found[node.name, field.target.id] = ast.literal_eval(text.value)  # type: ignore[attr-defined]
    return found


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
