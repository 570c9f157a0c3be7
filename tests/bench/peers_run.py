"""Runs the peers in their own environment: retrieval set up as in widely read tutorials, on given data and embedder.

Started by `tests.bench.peers` with the peers' Python; imports nothing of the project's. Embeds, and says so with a
line; then answers each line that it is sent with one of JSON, peer -> figures of one more round.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", ANONYMIZED_TELEMETRY="False", TOKENIZERS_PARALLELISM="false")

PASSAGES = 15

Documents = list[tuple[str, str]]
"""Id and text."""
Search = Callable[[str], Iterable[str]]
"""From a query to ids of documents, best first."""
Prime = Callable[[list[str]], object]
"""Embeds many queries at once into the memory, which goes faster than one by one."""
Peer = tuple[Prime, Callable[[Documents], Search]]


class Memory:
    """Vectors by text, so that a second run pays for everything but the embedding; counts what embedding took."""

    def __init__(self) -> None:
        self.vectors: dict[str, list[float]] = {}
        self.seconds = 0.0

    def embed(
        self, texts: Sequence[str], compute: Callable[[list[str]], list[list[float]]]
    ) -> list[list[float]]:
        missing = [text for text in dict.fromkeys(texts) if text not in self.vectors]
        if missing:
            started = time.perf_counter()
            self.vectors.update(zip(missing, compute(missing), strict=True))
            self.seconds += time.perf_counter() - started
        return [self.vectors[text] for text in texts]


def langchain_chroma(model: str, memory: Memory) -> Peer:
    """Chunks of 500 characters without overlap, Chroma with its defaults."""
    from langchain_chroma import Chroma
    from langchain_core.documents import Document
    from langchain_huggingface import HuggingFaceEmbeddings
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    class Remembering(HuggingFaceEmbeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return memory.embed(texts, super().embed_documents)

        def embed_query(self, text: str) -> list[float]:
            return memory.embed([text], super().embed_documents)[0]

    embeddings = Remembering(model_name=model)
    numbers = iter(range(1000))

    def build(documents: Documents) -> Search:
        splitter = RecursiveCharacterTextSplitter(chunk_size=500, chunk_overlap=0)
        given = [Document(page_content=text, metadata={"id": number}) for number, text in documents]
        chunks = splitter.split_documents(given)
        store = Chroma.from_documents(chunks, embeddings, collection_name=f"bench{next(numbers)}")
        retriever = store.as_retriever(search_kwargs={"k": PASSAGES})
        return lambda query: (found.metadata["id"] for found in retriever.invoke(query))

    return embeddings.embed_documents, build


def llamaindex(model: str, memory: Memory) -> Peer:
    """Chunks of 256 tokens with 25 of overlap, the vector store index with its defaults."""
    from llama_index.core import Document, Settings, VectorStoreIndex
    from llama_index.core.retrievers import VectorIndexRetriever
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding

    class Remembering(HuggingFaceEmbedding):
        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            return memory.embed(texts, super()._get_text_embeddings)

        def _get_query_embedding(self, query: str) -> list[float]:
            return memory.embed([query], super()._get_text_embeddings)[0]

    embeddings = Remembering(model_name=model)
    Settings.embed_model = embeddings
    Settings.llm = None
    Settings.chunk_size = 256
    Settings.chunk_overlap = 25

    def build(documents: Documents) -> Search:
        # The id must not be read as a part of the text.
        given = [
            Document(
                text=text,
                metadata={"id": number},
                excluded_embed_metadata_keys=["id"],
                excluded_llm_metadata_keys=["id"],
            )
            for number, text in documents
        ]
        index = VectorStoreIndex.from_documents(given)
        retriever = VectorIndexRetriever(index=index, similarity_top_k=PASSAGES)
        return lambda query: (found.node.metadata["id"] for found in retriever.retrieve(query))

    return embeddings.get_text_embedding_batch, build


PEERS = {"LangChain + Chroma, 500/0": langchain_chroma, "LlamaIndex, 256/25": llamaindex}


def prepare(
    make: Callable[[str, Memory], Peer], model: str, documents: Documents, questions: list[tuple[str, str]]
) -> Callable[[], dict[str, float]]:
    """Embed; what comes back builds and asks with the vectors at hand, and times that alone."""
    memory = Memory()
    prime, build = make(model, memory)
    build(documents)
    embed_build_s, memory.seconds = memory.seconds, 0.0
    prime([text for text, _ in questions])
    embed_query_s, memory.seconds = memory.seconds, 0.0

    def measure() -> dict[str, float]:
        started = time.perf_counter()
        search = build(documents)
        built = time.perf_counter()
        ranks = [_rank(wanted, search(text)) for text, wanted in questions]
        asked = time.perf_counter()
        if memory.seconds:
            raise SystemExit(
                f"{memory.seconds:.2f} s of embedding were timed: the comparison would not be fair"
            )
        return {
            "r1": _recall(ranks, 1),
            "r3": _recall(ranks, 3),
            "r10": _recall(ranks, 10),
            "build_s": built - started,
            "queries_per_s": len(questions) / (asked - built),
            "embed_build_s": embed_build_s,
            "embed_query_ms": embed_query_s / len(questions) * 1000,
        }

    return measure


def _rank(wanted: str, ids: Iterable[str]) -> int | None:
    order = list(dict.fromkeys(ids))
    return order.index(wanted) + 1 if wanted in order else None


def _recall(ranks: Sequence[int | None], places: int) -> float:
    return sum(rank is not None and rank <= places for rank in ranks) / len(ranks)


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="holds corpus.jsonl and queries.jsonl")
    parser.add_argument("model", help="folder of the embedder")
    options = parser.parse_args()
    documents = [(row["id"], row["text"]) for row in _rows(options.folder / "corpus.jsonl")]
    questions = [
        (row["text"], row["doc_id"]) for row in _rows(options.folder / "queries.jsonl") if row["answerable"]
    ]
    out = sys.stdout
    with redirect_stdout(sys.stderr):  # the peers print lines of their own
        ready = {name: prepare(make, options.model, documents, questions) for name, make in PEERS.items()}
        print("ready", file=out, flush=True)
        for _ in sys.stdin:
            print(json.dumps({name: measure() for name, measure in ready.items()}), file=out, flush=True)


if __name__ == "__main__":
    main()
