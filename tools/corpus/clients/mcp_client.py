"""The mcp package: a client of a server over streamable HTTP."""
import asyncio
from importlib.metadata import version

from mcp import ClientSession, MCPError
from mcp.client.streamable_http import streamable_http_client

from wire import WEATHER_ARGS, empty, events, reply

VERSION = version("mcp")
REFUSED = MCPError
SESSION = ("Mcp-Session-Id", "1868a90c-7b3f-4f0e-9a57-5c2f3f1e8d10")
TOOLS = [{"name": "get_weather", "description": "Current weather of a place.", "inputSchema": WEATHER_ARGS},
         {"name": "refund", "title": "Refund", "description": "Refunds an order.", "inputSchema": {"type": "object"},
          "annotations": {"destructiveHint": True}}]


def result(ident, what):
    return {"jsonrpc": "2.0", "id": ident, "result": what}


def begin(protocol="2025-06-18"):
    return [reply(result(0, {"protocolVersion": protocol, "capabilities": {"tools": {"listChanged": True}, "resources": {}, "prompts": {}},
                             "serverInfo": {"name": "shop", "version": "1.4.0"}, "instructions": "Look orders up before you answer."}),
                  fields=[SESSION]), empty(fields=[SESSION])]


END = [empty("200 OK")]


def session(*calls):
    async def run():
        async with streamable_http_client("https://mcp.example/mcp") as streams:
            async with ClientSession(streams[0], streams[1]) as s:
                await s.initialize()
                for call in calls:
                    await call(s)

    return lambda: asyncio.run(run())


def rows():
    listed = reply(result(1, {"tools": TOOLS}))
    yield "tools", session(lambda s: s.list_tools(), lambda s: s.call_tool("get_weather", {"city": "Bogotá"})), [
        *begin(), listed, events([("message", {"jsonrpc": "2.0", "method": "notifications/message", "params": {
            "level": "info", "data": "asking the station"}}), ("message", result(2, {
                "content": [{"type": "text", "text": "Rain, 14 °C."}], "structuredContent": {"sky": "rain"}, "isError": False}))],
            typed=True, done=False), *END]
    yield "resources", session(lambda s: s.list_resources(), lambda s: s.read_resource("shop://orders/17")), [
        *begin(), reply(result(1, {"resources": [{"uri": "shop://orders/17", "name": "Order 17", "mimeType": "text/plain"}]})),
        reply(result(2, {"contents": [{"uri": "shop://orders/17", "mimeType": "text/plain", "text": "Oslo to Bergen."}]})), *END]
    yield "prompt", session(lambda s: s.get_prompt("greet", {"name": "Ada"})), [
        *begin(), reply(result(1, {"description": "Greets.", "messages": [
            {"role": "user", "content": {"type": "text", "text": "Greet Ada in French."}}]})), *END]
    yield "tool-error", session(lambda s: s.list_tools(), lambda s: s.call_tool("refund", {"order": 17})), [
        *begin(), listed, reply(result(2, {"content": [{"type": "text", "text": "Order 17 is not paid."}], "isError": True})), *END]
