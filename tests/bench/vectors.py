"""A million vectors in the real faiss index: how fast, how well and in how much memory it finds the nearest.

The vectors are synthetic and lie in clusters, as those of texts do. The figures of memory and time to answer are
those of a process that opens the saved index and does nothing else. The last line is JSON.
"""

import argparse
import json
import multiprocessing
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from knowledge.faiss_index import FaissIndex
from knowledge.vectors import Rows, Vectors

DIMENSION = 384
BLOCK = 20_000
QUERIES = 200
CLUSTER = 500
"""Vectors in a cluster, about."""
SPREAD = 0.8
"""Length of the noise in each dimension, against 1 for the centres: two of a cluster have a cosine of about 0.6."""
PER_DOCUMENT = 20
TOP = 10
IDENTITY = "benchmark"
TARGETS = {"dense_p50_ms_1m": "at most 5", "dense_r10_1m": "at least 0.95", "dense_mb_1m": "at most 700"}

# A fresh process: a fork would start with the memory of its parent.
SPAWN = multiprocessing.get_context("spawn")


def vectors(block: int, count: int, total: int) -> Vectors:
    """Block number `block` of the clusters that `total` vectors lie in; the same whenever it is asked for."""
    centres = np.random.default_rng(1).normal(size=(max(1, total // CLUSTER), DIMENSION)).astype(np.float32)
    random = np.random.default_rng([2, block])
    rows = centres[random.integers(len(centres), size=count)]
    rows += SPREAD * random.standard_normal((count, DIMENSION), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def blocks(total: int) -> Iterator[tuple[int, Vectors]]:
    """The first passage's number of each block, and its vectors."""
    for block, start in enumerate(range(0, total, BLOCK)):
        yield start + 1, vectors(block, min(BLOCK, total - start), total)


def queries(total: int) -> Vectors:
    """Vectors of the same clusters that are not in the index."""
    return vectors(1 << 20, QUERIES, total)


def build(folder: Path, total: int) -> float:
    """Seconds to put all vectors into the index and save it, without those to make them up."""
    index, seconds = FaissIndex(folder, DIMENSION, IDENTITY), 0.0
    for first, rows in blocks(total):
        passages = np.arange(first, first + len(rows))
        documents = (passages - 1) // PER_DOCUMENT + 1
        started = time.perf_counter()
        index.replace(frozenset(documents.tolist()), Rows(passages, documents, rows))
        seconds += time.perf_counter() - started
    started = time.perf_counter()
    index.commit(1)
    index.save()
    return seconds + time.perf_counter() - started


def exact(total: int) -> list[set[int]]:
    """The numbers of the true nearest passages of each query."""
    asked = queries(total)
    best = np.full((len(asked), TOP), -2, np.float32)
    numbers = np.zeros((len(asked), TOP), np.int64)
    for first, rows in blocks(total):
        cosines = np.concatenate([best, asked @ rows.T], axis=1)
        named = np.tile(np.arange(first, first + len(rows)), (len(asked), 1))
        order = np.argpartition(-cosines, TOP, axis=1)[:, :TOP]
        best = np.take_along_axis(cosines, order, axis=1)
        numbers = np.take_along_axis(np.concatenate([numbers, named], axis=1), order, axis=1)
    return [set(row.tolist()) for row in numbers]


def search(folder: Path, total: int) -> tuple[list[list[int]], dict[str, float]]:
    """What a fresh process finds, and what that costs it."""
    asked = queries(total)
    before, started = _resident(), time.perf_counter()
    index = FaissIndex(folder, DIMENSION, IDENTITY)
    opened = time.perf_counter() - started
    found, times = [], []
    for query in asked:
        started = time.perf_counter()
        hits = index.search(query[None], TOP)
        times.append(time.perf_counter() - started)
        found.append([number for number, _ in hits])
    return found, {
        "dense_p50_ms_1m": round(median(times) * 1000, 2),
        "p95_ms": round(float(np.quantile(times, 0.95)) * 1000, 2),
        "dense_mb_1m": round((_resident() - before) / 1e6),
        "file_mb": round((folder / "vectors.faiss").stat().st_size / 1e6),
        "open_s": round(opened, 2),
        **_changes(index),
    }


def _changes(index: FaissIndex) -> dict[str, float]:
    """A search within one document, and putting another in its place."""
    row = vectors(1 << 21, 1, CLUSTER)
    started = time.perf_counter()
    index.search(row, TOP, frozenset({7}))
    scoped = time.perf_counter() - started
    started = time.perf_counter()
    index.replace(frozenset({7}), Rows(np.array([1 << 30]), np.array([7]), row))
    return {
        "one_document_ms": round(scoped * 1000, 1),
        "replace_ms": round((time.perf_counter() - started) * 1000, 1),
    }


def _resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measure(total: int) -> dict[str, Any]:
    """All figures for `total` vectors."""
    with tempfile.TemporaryDirectory() as name, SPAWN.Pool(1, maxtasksperchild=1) as pool:
        folder = Path(name)
        seconds = pool.apply(build, (folder, total))
        found, figures = pool.apply(search, (folder, total))
    right = [len(set(hits) & wanted) / TOP for hits, wanted in zip(found, exact(total), strict=True)]
    return {"dense_r10_1m": round(sum(right) / len(right), 4), **figures, "dense_build_s_1m": round(seconds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=int, default=1_000_000)
    total = parser.parse_args().vectors
    figures = measure(total)
    cores, (load, _, _) = os.cpu_count(), os.getloadavg()
    print(
        f"{total:,} vectors of {DIMENSION} dimensions; {platform.machine()}, {cores} cores, load {load:.1f}\n"
    )
    for name, value in figures.items():
        print(f"  {name:<18} {value!s:>10}   {TARGETS.get(name, '')}")
    print()
    print(json.dumps({name: value for name, value in figures.items() if name.startswith("dense_")}))


if __name__ == "__main__":
    main()
