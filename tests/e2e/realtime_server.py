"""tests/e2e/realtime_server.py CERT KEY PORT - OpenAI's realtime API by WebSocket over TLS: answers each response.create in words that its
conversation asks for (inference.py)."""
import itertools
import json
import ssl
import sys

from aiohttp import WSMsgType, web

from inference import credential

numbers = itertools.count(1)


def answer(heard):
    """A token for who asks for one."""
    return f"It is {credential('github', heard)}, please keep it." if "token" in heard else "The Inn, the Drava and the Sava do."


async def talk(request):
    socket = web.WebSocketResponse(compress=True)
    await socket.prepare(request)
    send = lambda kind, **fields: socket.send_json({"type": kind, "event_id": f"event_{next(numbers)}", **fields})
    session = {"type": "realtime", "object": "realtime.session", "id": "sess_1", "model": request.query.get("model"), "output_modalities": ["text"]}
    await send("session.created", session=session)
    heard = ""
    async for message in socket:
        if message.type != WSMsgType.TEXT:
            continue
        event = json.loads(message.data)
        if event["type"] == "session.update":
            await send("session.updated", session=session | event["session"])
        elif event["type"] == "conversation.item.create":
            heard = event["item"]["content"][0]["text"]
            await send("conversation.item.added", item=event["item"] | {"id": f"item_{next(numbers)}"})
        elif event["type"] == "response.create":
            number, text = next(numbers), answer(heard)
            at = {"response_id": f"resp_{number}", "item_id": f"item_{number}", "output_index": 0, "content_index": 0}
            item = {"id": f"item_{number}", "type": "message", "role": "assistant", "status": "completed",
                    "content": [{"type": "output_text", "text": text}]}
            await send("response.created", response={"id": at["response_id"], "object": "realtime.response", "status": "in_progress"})
            for i in range(0, len(text), 7):
                await send("response.output_text.delta", delta=text[i:i + 7], **at)
            await send("response.output_text.done", text=text, **at)
            await send("response.done", response={
                "id": at["response_id"], "object": "realtime.response", "status": "completed", "output": [item],
                "usage": {"input_tokens": 10, "output_tokens": 12, "total_tokens": 22}})
    return socket


async def health(_request):
    return web.Response(text="ok")


def main():
    cert, key, port = sys.argv[1:]
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(cert, key)
    app = web.Application()
    app.router.add_get("/v1/realtime", talk)
    app.router.add_get("/health", health)
    web.run_app(app, host="127.0.0.1", port=int(port), ssl_context=tls, print=None)


main()
