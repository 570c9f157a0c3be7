"""Reading a PDF apart: what comes over is what was read, and a bomb costs its own process only."""

import json
import subprocess
import sys
import zlib
from dataclasses import asdict
from pathlib import Path

import pytest

from knowledge.pdf import load_pdf
from knowledge.pdf_worker import from_json, load_pdf_apart
from knowledge.records import Loaded, LoadError, Section
from tests.unit.test_knowledge_pdf import HAN, pdf

MEMORY = 256 << 20
GUIDE = ["Roast slowly until the first crack.", "Then cool the beans."]


def bomb(megabytes: int) -> bytes:
    """A page whose text is packed twice: a kilobyte that unpacks to `megabytes`."""
    packer = zlib.compressobj(9)
    once = b"".join(packer.compress(b" " * 1_000_000) for _ in range(megabytes)) + packer.flush()
    twice = zlib.compress(once, 9)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R>>",
        b"<</Length %d/Filter[/FlateDecode/FlateDecode]>>stream\n%s\nendstream" % (len(twice), twice),
    ]
    out, places = b"%PDF-1.4\n", []
    for number, text in enumerate(objects, 1):
        places.append(b"%010d 00000 n \n" % len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, text)
    table = b"xref\n0 5\n0000000000 65535 f \n" + b"".join(places)
    return out + table + b"trailer\n<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(out)


def test_what_is_read_apart_is_what_is_read_here() -> None:
    for data in (pdf(GUIDE, ["More."], font="Vera"), pdf(["一爆大约在一百九十六摄氏度开始。"], font=HAN)):
        assert load_pdf_apart("a.pdf", data, "a", memory=MEMORY) == load_pdf("a.pdf", data, "a")


def test_everything_that_a_document_holds_comes_over() -> None:
    loaded = Loaded(
        "T\ud800",
        (Section(("A", "B"), ("one", "二"), 3, "1:02", "yes"), Section((), ())),
        "a",
        "2026",
        ("n",),
    )
    assert from_json(json.loads(json.dumps(asdict(loaded)))) == loaded


def test_a_refusal_comes_over_with_its_cure() -> None:
    with pytest.raises(LoadError, match=r"^/a\.pdf is damaged or no PDF; open it"):
        load_pdf_apart("/a.pdf", b"%PDF-1.4 nothing", "a")


def test_a_bomb_of_a_kilobyte_is_refused_within_the_limit_of_memory() -> None:
    data = bomb(300)
    assert len(data) < 2_000
    with pytest.raises(LoadError, match="more than 256 MB of memory"):
        load_pdf_apart("/a.pdf", data, "a", memory=MEMORY)


def test_a_file_that_takes_too_long_is_refused() -> None:
    with pytest.raises(LoadError, match="more than 0 s to read"):
        load_pdf_apart("/a.pdf", pdf(*[GUIDE] * 200), "a", cpu_s=0)


def test_a_process_that_cannot_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(LoadError, match="no process starts for it"):
        load_pdf_apart("/a.pdf", b"%PDF-", "a")


def test_the_reader_takes_no_module_from_the_folder_that_it_is_started_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(7)", "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    assert load_pdf_apart("a.pdf", pdf(GUIDE), "a").sections


def test_the_library_can_be_used_without_pdfium_in_its_process() -> None:
    program = "import sys, knowledge.ingest; sys.exit('pypdfium2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
