"""tests/e2e/clients/realtime.py URL CA MODEL - the OpenAI SDK's realtime client: says each line of stdin, prints the answer as a line of
JSON, and stays connected until stdin ends."""
import asyncio
import json
import ssl
import sys

from openai import AsyncOpenAI

INSTRUCTIONS = "You are a helpful assistant of a travel agency."


async def main():
    url, ca, model = sys.argv[1:]
    client = AsyncOpenAI(api_key="sk-test", base_url=url, websocket_base_url=url.replace("https://", "wss://"))
    options = {"ssl": ssl.create_default_context(cafile=ca)}
    async with client.realtime.connect(model=model, websocket_connection_options=options) as connection:
        await connection.session.update(session={"type": "realtime", "output_modalities": ["text"], "instructions": INSTRUCTIONS})
        while said := await asyncio.to_thread(sys.stdin.readline):
            await connection.conversation.item.create(item={
                "type": "message", "role": "user", "content": [{"type": "input_text", "text": json.loads(said)}]})
            await connection.response.create()
            async for event in connection:
                if event.type == "response.done":
                    print(json.dumps(event.response.output[0].content[0].text), flush=True)
                    break


asyncio.run(main())
