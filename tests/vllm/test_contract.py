"""The contract of a model server, asked of the real one; the fake has the same in `tests/contract/`."""

from collections.abc import AsyncIterator

import pytest

from bot.serving.server import ModelServer
from tests.contract.model_server import ModelServerContract, Served
from tests.vllm.server import CONTEXT, VLLMServer


class TestVLLM(ModelServerContract):
    @pytest.fixture
    async def served(self, vllm: VLLMServer) -> AsyncIterator[Served]:
        client = ModelServer(base_url=f"{vllm.url}/v1", deadline_s=60)
        yield Served(client, CONTEXT)
        await client.aclose()
