"""A reply written in the person's own editor."""

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from bot.cli.errors import Misuse
from bot.store.deciding import VerdictRefused


def write_in_editor(comment_id: int, text: str) -> str:
    """What stands in the file once $VISUAL, $EDITOR or vi was closed on `text`, without white space at its ends.

    Raises Misuse where the editor cannot be started, or left what is no text, VerdictRefused where it failed.
    """
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    folder = Path(tempfile.mkdtemp(prefix="rejoinder-edit-"))
    file = folder / f"reply-{comment_id}.txt"
    file.write_text(text, encoding="utf-8")
    try:
        written = _closed(editor, file, comment_id)
    except UnicodeDecodeError as error:
        raise Misuse(f"save the reply as UTF-8; what the editor left is kept in {file}") from error
    except (Misuse, VerdictRefused):
        shutil.rmtree(folder)
        raise
    shutil.rmtree(folder)
    return written


def _closed(editor: list[str], file: Path, comment_id: int) -> str:
    """What stands in `file` then. Raises Misuse, VerdictRefused, UnicodeDecodeError."""
    try:
        code = subprocess.run([*editor, str(file)], check=False).returncode  # noqa: S603  (the user's own editor)
        if code == 0:
            return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise Misuse(f"the editor {editor[0]!r} cannot be started; set EDITOR, or give --text") from error
    raise VerdictRefused(f"comment {comment_id}: the editor ended with {code}; nothing was changed")


def read_text(file: Path) -> str:
    """Raises Misuse."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misuse(f"{file} cannot be read: {error}") from error
