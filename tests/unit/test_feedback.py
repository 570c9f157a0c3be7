"""What verdicts teach."""

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from bot.feedback import Pair, pairs, same, settled, supervised
from bot.models import Draft, Verdict
from tests.builders import START

DRAFT = Draft(id=7, comment_id=1, created_at=START, text="A", candidates=["A", "B", "C"])
DRAFTS = {7: DRAFT}


def verdict(kind: str, text: str = "", *, number: int = 1, **more: object) -> Verdict:
    values: dict[str, object] = {
        "id": number,
        "comment_id": 1,
        "draft_id": 7,
        "by": "ann",
        "at": START + timedelta(seconds=number),
    }
    return Verdict(kind=kind, text=text, **(values | more))


def compared(*verdicts: Verdict) -> list[tuple[str, str, str]]:
    return [(one.kind, one.chosen, one.rejected) for one in pairs(verdicts, DRAFTS)]


def test_an_edit_is_better_than_the_draft_that_was_edited() -> None:
    assert compared(verdict("edit", "Better.", candidates=["A"], chosen=0)) == [("edit", "Better.", "A")]


def test_an_edit_from_before_candidates_were_kept_is_compared_with_the_drafts_text() -> None:
    assert compared(verdict("edit", "Better.")) == [("edit", "Better.", "A")]


def test_a_choice_is_better_than_each_candidate_that_was_shown_beside_it() -> None:
    chosen = verdict("approve", "B", candidates=["A", "B", "C"], chosen=1)
    assert compared(chosen) == [("choice", "B", "A"), ("choice", "B", "C")]


def test_an_edited_choice_ranks_the_final_text_then_the_chosen_one_then_the_others() -> None:
    edited = verdict("edit", "B!", candidates=["A", "B", "C"], chosen=1)
    assert {(better, worse) for _, better, worse in compared(edited)} == {
        ("B!", "B"),
        ("B!", "A"),
        ("B!", "C"),
        ("B", "A"),
        ("B", "C"),
    }


def test_a_text_written_anew_is_better_than_all_candidates_and_says_nothing_among_them() -> None:
    anew = verdict("edit", "New.", candidates=["A", "B"])
    assert compared(anew) == [("edit", "New.", "A"), ("edit", "New.", "B")]


def test_a_rejection_and_the_answer_written_after_it_make_a_pair() -> None:
    found = compared(
        verdict("reject", candidates=["A"], number=1), verdict("edit", "Right.", candidates=["A"], number=2)
    )
    assert found == [("reject", "Right.", "A")]


def test_a_rejected_draft_is_compared_under_the_prompt_it_was_written_from() -> None:
    drafts = {**DRAFTS, 8: Draft(id=8, comment_id=1, created_at=START, text="D")}
    found = pairs([verdict("reject", number=1), verdict("edit", "Right.", number=2, draft_id=8)], drafts)
    assert {(one.kind, one.draft_id, one.rejected) for one in found} == {("reject", 7, "A"), ("edit", 8, "D")}


def test_an_answer_before_the_rejection_makes_no_pair_with_it() -> None:
    assert compared(verdict("edit", "A", number=1), verdict("reject", number=2)) == []


def test_what_compares_nothing_makes_no_pair() -> None:
    assert compared(verdict("approve", "A", candidates=["A"], chosen=0)) == []
    assert compared(verdict("reject", candidates=["A", "B"])) == []
    assert compared(verdict("skip", candidates=["A", "B"])) == []
    assert compared(verdict("edit", " A\n", candidates=["A"], chosen=0)) == []


def test_a_verdict_that_was_taken_back_teaches_nothing() -> None:
    undone = verdict("edit", "Better.", undone_at=START)
    assert (pairs([undone], DRAFTS), supervised([undone], DRAFTS)) == ([], [])
    rejected = verdict("reject", undone_at=START, number=1)
    kinds = [one.kind for one in pairs([rejected, verdict("edit", "New.", number=2)], DRAFTS)]
    assert kinds == ["edit"]


def test_of_two_verdicts_that_contradict_each_other_the_later_counts() -> None:
    first = verdict("approve", "A", candidates=["A", "B"], chosen=0, number=1)
    then = verdict("approve", "B", candidates=["A", "B"], chosen=1, number=2)
    assert compared(first, then) == compared(then, first) == [("choice", "B", "A")]


def test_approved_and_edited_texts_are_imitated_each_once() -> None:
    rows = supervised(
        [
            verdict("approve", "A", number=1),
            verdict("edit", "B", number=2),
            verdict("approve", "A", number=3),
            verdict("reject", number=4),
            verdict("edit", "From the head.", number=5, draft_id=None),
        ],
        DRAFTS,
    )
    assert [(row.kind, row.text) for row in rows] == [("edit", "B"), ("approve", "A")]


texts = st.sampled_from(["A", "B", "C", " A ", "A\n", "", "B  B", "B B"])
verdicts = st.builds(
    verdict,
    st.sampled_from(["approve", "edit", "reject", "skip"]),
    texts,
    number=st.integers(1, 9),
    candidates=st.lists(texts, max_size=4),
    chosen=st.none() | st.integers(-1, 5),
    draft_id=st.sampled_from([7, None, 99]),
    undone_at=st.none() | st.just(START),
)


@given(st.lists(verdicts, max_size=6))
def test_no_pair_is_empty_equal_doubled_or_contradicted(given_verdicts: Sequence[Verdict]) -> None:
    found = pairs(given_verdicts, DRAFTS)
    for pair in found:
        assert pair.chosen.strip()
        assert pair.rejected.strip()
        assert not same(pair.chosen, pair.rejected)
    seen = [(pair.draft_id, frozenset((_plain(pair.chosen), _plain(pair.rejected)))) for pair in found]
    assert len(set(seen)) == len(seen)


@given(st.lists(verdicts, max_size=6))
def test_every_text_that_is_preferred_or_imitated_was_there(given_verdicts: Sequence[Verdict]) -> None:
    there = {one.text for one in given_verdicts} | {text for one in given_verdicts for text in one.candidates}
    there.add(DRAFT.text)
    assert {text for pair in pairs(given_verdicts, DRAFTS) for text in (pair.chosen, pair.rejected)} <= there
    final = {one.text for one in given_verdicts if one.kind != "reject" and one.undone_at is None}
    assert {row.text for row in supervised(given_verdicts, DRAFTS)} <= final


@given(st.lists(verdicts, max_size=6, unique_by=lambda one: one.id), st.randoms())
def test_the_order_in_which_verdicts_are_read_does_not_matter(
    given_verdicts: list[Verdict], random: object
) -> None:
    shuffled = list(given_verdicts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert pairs(given_verdicts, DRAFTS) == pairs(shuffled, DRAFTS)
    assert supervised(given_verdicts, DRAFTS) == supervised(shuffled, DRAFTS)


@given(st.lists(verdicts, max_size=6))
def test_settling_twice_changes_nothing(given_verdicts: Sequence[Verdict]) -> None:
    found: list[Pair] = pairs(given_verdicts, DRAFTS)
    assert settled(found) == found


def _plain(text: str) -> str:
    return " ".join(text.split())
