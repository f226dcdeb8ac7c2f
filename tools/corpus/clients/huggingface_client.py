"""huggingface_hub's InferenceClient, at Hugging Face's router and at a TGI of one's own."""
import huggingface_hub
from huggingface_hub import InferenceClient

from record import chat, chunk
from wire import WEATHER, events, reply

VERSION = huggingface_hub.__version__
REFUSED = huggingface_hub.errors.HfHubHTTPError
TOKEN = "hf_" + "T3stK3y0" * 4
QWEN = "Qwen/Qwen2.5-7B-Instruct"


def rows():
    tgi = InferenceClient(model="https://tgi.example", token=TOKEN)

    yield "chat", lambda: InferenceClient(base_url="https://router.huggingface.co/v1", token=TOKEN).chat_completion(
        [{"role": "user", "content": "What is the capital of Colombia?"}], model=QWEN, max_tokens=64), [
            reply(chat({"content": "Bogotá."}, model=QWEN))]
    yield "tgi-chat-stream", lambda: list(tgi.chat_completion(
        [{"role": "user", "content": "Weather in Bogotá?"}], tools=[WEATHER], stream=True, max_tokens=64)), [events(
            [chunk({"role": "assistant", "content": t}) for t in ("It ", "rains.")] + [chunk({}, "stop")])]
    yield "tgi-generate", lambda: tgi.text_generation("The capital of Colombia is", max_new_tokens=8, details=True), [reply(
        [{"generated_text": " Bogotá.", "details": {"finish_reason": "eos_token", "generated_tokens": 3, "seed": None, "prefill": [],
                                                    "tokens": [{"id": 7, "text": " Bogotá.", "logprob": -0.1, "special": False}]}}])]
    yield "tgi-generate-stream", lambda: list(tgi.text_generation("The capital of Colombia is", max_new_tokens=8, stream=True)), [events(
        [{"index": i, "token": {"id": 7 + i, "text": t, "logprob": -0.1, "special": False}, "generated_text": g, "details": d}
         for i, (t, g, d) in enumerate(((" Bogo", None, None), ("tá.", " Bogotá.", {
             "finish_reason": "length", "generated_tokens": 2, "seed": None, "input_length": 6})))], done=False)]
