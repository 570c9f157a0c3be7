"""What is said of the adapters is what they say of themselves."""

from pathlib import Path

from tests.contract.abilities import table

PAGE = Path(__file__).parents[2] / "docs" / "adapters.md"


async def test_the_table_in_the_guide_is_that_of_the_adapters() -> None:
    """Print the new one with `python -m tests.contract.abilities`."""
    assert await table() in PAGE.read_text(encoding="utf-8")
