"""The contract of a model server, asked of the fake. The real one is asked in `tests/vllm/test_contract.py`."""

from collections.abc import AsyncIterator

import pytest

from bot.serving.server import ModelServer
from tests.contract.model_server import ModelServerContract, Served
from tests.fakes import FakeOpenAI


class TestFake(ModelServerContract):
    @pytest.fixture
    async def served(self) -> AsyncIterator[Served]:
        async with FakeOpenAI(can_sleep=True) as fake:
            client = ModelServer(base_url=fake.url)
            yield Served(client, fake.max_model_len)
            await client.aclose()
