"""tests/e2e/clients/sdk.py - runs jobs through OpenAI's own Python client, synchronous or asynchronous.

Reads one JSON object on standard input: {base_url, ca, async, http2, jobs}; prints one JSON line per finished job, with its wall times.
A job: {name, api: chat|responses, key, user, model, messages, stream, tools, tool_result}. A tool call in the answer is
answered with tool_result, and the conversation goes on until text comes.
"""

import asyncio
import json
import ssl
import sys
import time

import openai


def chat_args(job, messages):
    more = {"stream_options": {"include_usage": True}} if job.get("stream") else {}
    tools = [{"type": "function", "function": t} for t in job.get("tools", [])]
    if tools:
        more["tools"] = tools
    return {"model": job["model"], "messages": messages, "user": job["user"], "stream": bool(job.get("stream")), **more}


def responses_args(job, items):
    more = {"tools": [{"type": "function", "strict": False, **t} for t in job["tools"]]} if job.get("tools") else {}
    return {"model": job["model"], "input": items, "user": job["user"], "stream": bool(job.get("stream")), **more}


class ChatFold:
    """Folds a reply, whole or streamed, to (text, tool calls)."""

    def __init__(self):
        self.text, self.calls, self.finish, self.usage = "", {}, None, None

    def whole(self, reply):
        choice = reply.choices[0]
        self.text, self.finish, self.usage = choice.message.content or "", choice.finish_reason, reply.usage
        for i, c in enumerate(choice.message.tool_calls or []):
            self.calls[i] = {"id": c.id, "name": c.function.name, "arguments": c.function.arguments}

    def event(self, chunk):
        self.usage = chunk.usage or self.usage
        for choice in chunk.choices:
            self.text += choice.delta.content or ""
            self.finish = choice.finish_reason or self.finish
            for c in choice.delta.tool_calls or []:
                call = self.calls.setdefault(c.index, {"id": c.id, "name": c.function.name, "arguments": ""})
                call["arguments"] += c.function.arguments or ""

    def follow_up(self, messages, result):
        calls = [{"id": c["id"], "type": "function", "function": {"name": c["name"], "arguments": c["arguments"]}}
                 for c in self.calls.values()]
        return messages + [{"role": "assistant", "content": None, "tool_calls": calls}] + [
            {"role": "tool", "tool_call_id": c["id"], "content": result} for c in calls]


class ResponsesFold:
    def __init__(self):
        self.text, self.calls, self.finish, self.usage = "", {}, None, None

    def whole(self, reply):
        self.finish, self.usage = reply.status, reply.usage
        self.text = reply.output_text
        for i, item in enumerate(reply.output):
            if item.type == "function_call":
                self.calls[i] = {"id": item.call_id, "name": item.name, "arguments": item.arguments}

    def event(self, e):
        if e.type == "response.completed":
            streamed = self.text
            self.whole(e.response)
            assert streamed == self.text, "deltas and the final text differ"
        elif e.type == "response.output_text.delta":
            self.text += e.delta

    def follow_up(self, items, result):
        calls = [{"type": "function_call", "call_id": c["id"], "name": c["name"], "arguments": c["arguments"]}
                 for c in self.calls.values()]
        outputs = [{"type": "function_call_output", "call_id": c["id"], "output": result} for c in self.calls.values()]
        return items + calls + outputs


def steps(job):
    """Yields (api, arguments, fold) for each request of the job; the fold is filled before the next one is asked for."""
    args, fold_of = (chat_args, ChatFold) if job["api"] == "chat" else (responses_args, ResponsesFold)
    messages = job["messages"]
    while True:
        fold = fold_of()
        yield args(job, messages), fold
        if not fold.calls:
            return
        messages = fold.follow_up(messages, job["tool_result"])


def report(job, fold, n, begun, error=None):
    usage = fold.usage.total_tokens if fold and fold.usage else None
    print(json.dumps({"name": job["name"], "text": fold.text if fold else None, "finish": fold.finish if fold else None,
                      "requests": n, "tokens": usage, "error": error, "begun": begun, "ended": time.time()}), flush=True)


def run_sync(conf, context):
    client = openai.OpenAI(base_url=conf["base_url"], api_key="none", max_retries=0,
                           http_client=openai.DefaultHttpxClient(verify=context, http2=conf["http2"]))
    for job in conf["jobs"]:
        one = client.with_options(api_key=job["key"])
        create = one.chat.completions.create if job["api"] == "chat" else one.responses.create
        n, fold, begun = 0, None, time.time()
        try:
            for args, fold in steps(job):
                n += 1
                reply = create(**args)
                if args["stream"]:
                    for event in reply:
                        fold.event(event)
                else:
                    fold.whole(reply)
            report(job, fold, n, begun)
        except openai.APIStatusError as e:
            report(job, None, n, begun, {"status": e.status_code, "code": e.code, "message": e.message})


async def run_async(conf, context):
    client = openai.AsyncOpenAI(base_url=conf["base_url"], api_key="none", max_retries=0,
                                http_client=openai.DefaultAsyncHttpxClient(verify=context, http2=conf["http2"]))

    async def run(job):
        one = client.with_options(api_key=job["key"])
        create = one.chat.completions.create if job["api"] == "chat" else one.responses.create
        n, fold, begun = 0, None, time.time()
        try:
            for args, fold in steps(job):
                n += 1
                reply = await create(**args)
                if args["stream"]:
                    async for event in reply:
                        fold.event(event)
                else:
                    fold.whole(reply)
            report(job, fold, n, begun)
        except openai.APIStatusError as e:
            report(job, None, n, begun, {"status": e.status_code, "code": e.code, "message": e.message})

    await asyncio.gather(*(run(job) for job in conf["jobs"]))


def main():
    conf = json.load(sys.stdin)
    context = ssl.create_default_context(cafile=conf["ca"])
    if conf.get("async"):
        asyncio.run(run_async(conf, context))
    else:
        run_sync(conf, context)


main()
