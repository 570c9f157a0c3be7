"""What an ingest reports of documents that could be read in part, and what it leaves out."""

from pathlib import Path

from knowledge.ingest import Library


async def test_what_could_not_be_read_of_a_file_is_in_the_report(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("question,answer\nHow?,So.\nWhen?,\n", "utf-8")
    report = await Library(tmp_path / "library").ingest([str(path)])
    assert report.added == [str(path)]
    assert report.notes == [
        (str(path), "line 3: no question or no answer, left out; fill it in and ingest again")
    ]


async def test_a_change_of_the_drop_phrases_reads_the_documents_again(tmp_path: Path) -> None:
    path = tmp_path / "post.txt"
    path.write_text("Roast slowly.\n\nMember-only story.\n", "utf-8")
    report = await Library(tmp_path / "library").ingest([str(path)])
    assert report.passages == 2
    library = Library(tmp_path / "library", drop_phrases=["member-only story"])
    report = await library.ingest([str(path)])
    assert (report.updated, report.passages) == ([str(path)], 1)
    assert (await library.ingest([str(path)])).unchanged == [str(path)]


async def test_an_answer_can_be_found_by_its_question_and_comes_back_word_for_word(tmp_path: Path) -> None:
    path = tmp_path / "faq.txt"
    path.write_text(
        "Q: What does the kit cost?\nA: 49 dollars.\nShipping is free.\n\nQ: Where?\nA: Here.\n", "utf-8"
    )
    library = Library(tmp_path / "library")
    await library.ingest([str(path)])
    (found, *_) = library.retriever().retrieve("how much does the kit cost")
    assert found.passage.answer == "49 dollars.\nShipping is free."
