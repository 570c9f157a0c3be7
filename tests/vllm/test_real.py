"""What the program relies on a real vLLM server for. `README.md` beside this file has the same facts as a table."""

import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.vllm import voices
from tests.vllm.install import MODEL, VOICES
from tests.vllm.server import BASE, CONTEXT, MAX_LORA_RANK, VLLMServer, get, load_voice, post, unload_voice

PRICE = {
    "type": "function",
    "function": {
        "name": "price",
        "parameters": {
            "type": "object",
            "properties": {"thing": {"type": "string", "maxLength": 8}},
            "required": ["thing"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5"
    "ErkJggg=="
)
QUESTION = "how many grams of green coffee per batch should I start with?"


def chat(server: VLLMServer, model: str = BASE, text: str = QUESTION, **options: Any) -> tuple[int, Any]:
    messages = [{"role": "user", "content": text}]
    return post(
        f"{server.url}/v1/chat/completions",
        {"model": model, "messages": messages, "max_tokens": 32, **options},
    )


def said(answer: tuple[int, Any]) -> str:
    return str(answer[1]["choices"][0]["message"]["content"])


def message(answer: tuple[int, Any]) -> str:
    return str(answer[1]["error"]["message"])


@contextmanager
def loaded(server: VLLMServer, name: str, folder: Path) -> Iterator[str]:
    status, told = load_voice(server.url, name, folder)
    assert status == 200, told
    yield name
    assert unload_voice(server.url, name)[0] == 200


class TestChat:
    def test_candidates_come_with_a_log_probability_for_every_token(self, vllm: VLLMServer) -> None:
        _, answer = chat(vllm, n=3, logprobs=True, temperature=1.0, seed=1)
        tokens = [choice["logprobs"]["content"] for choice in answer["choices"]]
        assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
        assert sum(map(len, tokens)) == answer["usage"]["completion_tokens"]
        assert all(token["logprob"] <= 0 for candidate in tokens for token in candidate)

    def test_several_candidates_need_a_temperature(self, vllm: VLLMServer) -> None:
        status, answer = chat(vllm, n=3, temperature=0)
        assert (status, answer["error"]["type"]) == (400, "BadRequestError")

    def test_a_stream_gives_the_same_words_and_then_the_usage(self, vllm: VLLMServer) -> None:
        whole = said(chat(vllm, temperature=0))
        chunks = list(streamed(vllm, temperature=0))
        assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks[:-1]) == whole
        assert chunks[-1]["choices"] == []
        assert chunks[-1]["usage"]["completion_tokens"] > 0

    def test_the_prefix_is_cached_in_blocks_and_for_each_voice_by_itself(
        self, vllm: VLLMServer, amber: Path
    ) -> None:
        text = "The rules of this shop are many. " * 40
        with loaded(vllm, "cache-voice", amber) as voice:
            cached = [cached_tokens(chat(vllm, model, text)) for model in (BASE, BASE, voice, voice)]
        assert cached[0] == cached[2] == 0
        assert cached[1] == cached[3] > 256

    def test_metrics_count_the_cached_tokens(self, vllm: VLLMServer) -> None:
        before = metric(vllm, "vllm:prefix_cache_hits_total")
        text = "Every count is a count of tokens. " * 40
        chat(vllm, text=text)
        cached = cached_tokens(chat(vllm, text=text))
        assert metric(vllm, "vllm:prefix_cache_hits_total") - before == cached

    def test_a_prompt_beyond_the_context_is_refused(self, vllm: VLLMServer) -> None:
        answer = chat(vllm, text="word " * CONTEXT)
        assert answer[0] == 400
        assert message(answer).startswith(f"This model's maximum context length is {CONTEXT} tokens.")

    def test_a_reply_is_cut_in_silence_where_the_context_ends(self, vllm: VLLMServer) -> None:
        status, answer = chat(vllm, text="word " * (CONTEXT // 2), max_tokens=CONTEXT, ignore_eos=True)
        assert (status, answer["choices"][0]["finish_reason"]) == (200, "length")
        assert answer["usage"]["total_tokens"] == CONTEXT

    def test_an_unknown_model_is_named_in_the_refusal(self, vllm: VLLMServer) -> None:
        answer = chat(vllm, "nope")
        assert (answer[0], message(answer)) == (404, "The model `nope` does not exist. Valid aliases: base.")

    def test_a_picture_is_refused_by_a_model_that_reads_only_text(self, vllm: VLLMServer) -> None:
        parts = [{"type": "text", "text": "what is it"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
        answer = chat(vllm, messages=[{"role": "user", "content": parts}])
        assert (answer[0], message(answer)) == (400, "base is not a multimodal model")

    def test_a_schema_shapes_the_reply(self, vllm: VLLMServer) -> None:
        schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
        form = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
        assert isinstance(json.loads(said(chat(vllm, response_format=form)))["ok"], bool)

    @pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "price"}}])
    def test_a_strict_tool_is_called_with_arguments_of_its_schema(
        self, vllm: VLLMServer, choice: Any
    ) -> None:
        _, answer = chat(vllm, tools=[PRICE], tool_choice=choice, max_tokens=200, temperature=1.0, seed=2)
        (call, *_) = answer["choices"][0]["message"]["tool_calls"]
        assert call["function"]["name"] == "price"
        assert list(json.loads(call["function"]["arguments"])) == ["thing"]


class TestVoices:
    def test_each_voice_answers_by_its_name(self, vllm: VLLMServer) -> None:
        with loaded(vllm, "one", VOICES / "amber") as one, loaded(vllm, "two", VOICES / "cobalt") as two:
            replies = [said(chat(vllm, model, temperature=0)) for model in (one, two, BASE)]
        assert [reply.partition(":")[0] for reply in replies[:2]] == ["amber", "cobalt"]
        assert not replies[2].startswith(("amber", "cobalt"))

    def test_the_base_speaks_as_itself_while_two_voices_are_busy(self, vllm: VLLMServer) -> None:
        with (
            loaded(vllm, "one", VOICES / "amber") as one,
            loaded(vllm, "two", VOICES / "cobalt") as two,
            ThreadPoolExecutor(6) as pool,
        ):
            asked = (one, two, BASE) * 8
            replies = list(pool.map(lambda model: said(chat(vllm, model, temperature=0)), asked))
        assert {reply.partition(":")[0] for reply in replies[0::3]} == {"amber"}
        assert {reply.partition(":")[0] for reply in replies[1::3]} == {"cobalt"}
        assert not any(word in reply for reply in replies[2::3] for word in ("amber", "cobalt"))

    def test_models_name_the_folder_and_the_parent(self, vllm: VLLMServer, amber: Path) -> None:
        with loaded(vllm, "listed", amber):
            base, voice = get(f"{vllm.url}/v1/models")[1]["data"]
        assert (base["id"], base["root"], base["parent"], base["max_model_len"]) == (
            BASE,
            str(MODEL),
            None,
            CONTEXT,
        )
        assert (voice["id"], voice["root"], voice["parent"]) == ("listed", str(amber), BASE)
        assert voice["max_model_len"] is None

    def test_a_taken_name_is_refused(self, vllm: VLLMServer, amber: Path) -> None:
        with loaded(vllm, "taken", amber):
            answer = load_voice(vllm.url, "taken", VOICES / "cobalt")
        assert answer[0] == 400
        assert message(answer).startswith("The lora adapter 'taken' has already been loaded.")

    def test_the_name_of_the_base_is_refused(self, vllm: VLLMServer, amber: Path) -> None:
        assert load_voice(vllm.url, BASE, amber)[0] == 400

    def test_an_unloaded_voice_is_as_unknown_as_one_that_never_was(
        self, vllm: VLLMServer, amber: Path
    ) -> None:
        with loaded(vllm, "brief", amber):
            pass
        assert chat(vllm, "brief")[0] == 404
        assert unload_voice(vllm.url, "brief")[0] == 404

    def test_a_missing_folder_is_not_found(self, vllm: VLLMServer, tmp_path: Path) -> None:
        answer = load_voice(vllm.url, "bad", tmp_path / "nowhere")
        assert (answer[0], message(answer)) == (404, "Loading lora bad failed: No adapter found for <path>")

    def test_bad_weights_are_refused_and_the_server_goes_on(
        self, vllm: VLLMServer, amber: Path, tmp_path: Path
    ) -> None:
        bad = {
            "header too large": voices.corrupt(amber, tmp_path / "corrupt"),
            "incomplete metadata": voices.cut_short(amber, tmp_path / "cut"),
            "greater than max_lora_rank": voices.of_rank(amber, tmp_path / "rank", 2 * MAX_LORA_RANK),
            "must match the size": voices.for_another_base(amber, tmp_path / "large", 2.0),
        }
        for words, folder in bad.items():
            answer = load_voice(vllm.url, "bad", folder)
            assert answer[0] == 500
            assert words in message(answer)
            assert chat(vllm, "bad")[0] == 404
        assert chat(vllm)[0] == 200

    def test_a_voice_for_a_smaller_base_is_accepted(
        self, vllm: VLLMServer, amber: Path, tmp_path: Path
    ) -> None:
        # Why the shapes are to be compared before a voice is loaded: the server would answer with it, wrongly.
        with loaded(vllm, "small", voices.for_another_base(amber, tmp_path / "small", 0.5)) as voice:
            assert chat(vllm, voice)[0] == 200


class TestServer:
    def test_tokens_are_counted_for_messages(self, vllm: VLLMServer) -> None:
        messages = [{"role": "system", "content": "rules"}, {"role": "user", "content": "你好"}]
        _, counted = post(f"{vllm.url}/tokenize", {"model": BASE, "messages": messages})
        _, answer = chat(vllm, messages=messages)
        assert counted["count"] == answer["usage"]["prompt_tokens"]
        assert counted["max_model_len"] == CONTEXT

    def test_the_version_is_told(self, vllm: VLLMServer) -> None:
        assert get(f"{vllm.url}/version") == (200, {"version": "0.32.0"})


def listen(server: VLLMServer, speaking: threading.Event, broken: threading.Event) -> None:
    """Read a long reply; `broken` is set when the connection ends before the reply does."""
    try:
        for _ in streamed(server, max_tokens=CONTEXT, ignore_eos=True):
            speaking.set()
    except (OSError, http.client.HTTPException):
        broken.set()


def streamed(server: VLLMServer, **options: Any) -> Iterator[Any]:
    """The chunks of a streamed reply. Raises ConnectionError when it ends without `[DONE]`."""
    body = {
        "model": BASE,
        "messages": [{"role": "user", "content": QUESTION}],
        "max_tokens": 32,
        "stream": True,
        "stream_options": {"include_usage": True},
        **options,
    }
    request = urllib.request.Request(
        f"{server.url}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        for line in answer:
            if line.startswith(b"data: [DONE]"):
                return
            if line.startswith(b"data: "):
                yield json.loads(line.removeprefix(b"data: "))
    raise ConnectionError("the stream ended too early")


def raise_reason(server: VLLMServer) -> None:
    """Raise the operating system's reason why nobody answers."""
    try:
        get(f"{server.url}/health")
    except urllib.error.URLError as problem:
        raise problem.reason from problem


def cached_tokens(answer: tuple[int, Any]) -> int:
    return int(answer[1]["usage"]["prompt_tokens_details"]["cached_tokens"])


def metric(server: VLLMServer, name: str) -> float:
    lines = str(get(f"{server.url}/metrics")[1]).splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{name}{{"))
