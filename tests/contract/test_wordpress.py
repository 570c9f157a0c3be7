"""The one suite that every adapter passes, on a real WordPress."""

import pytest

from adapters.conformance import CHECKS, Check
from tests.contract.harnesses import new_session
from tests.contract.harnesses_wordpress import on_a_post_of_its_own
from tests.integration.wordpress_server import WordPressServer


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_wordpress(check: Check, wordpress: WordPressServer) -> None:
    async with new_session() as http:
        await check(await on_a_post_of_its_own(wordpress, http))
