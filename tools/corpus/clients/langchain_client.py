"""langchain-openai: what a framework makes of the openai package."""
from importlib.metadata import version

import openai
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

import record
from record import KEY, WEATHER, chat, chunk, plain, stream, zipped

VERSION = version("langchain-openai")
REFUSED = openai.APIError


def rows():
    llm = ChatOpenAI(model="gpt-4o", api_key=KEY, max_retries=0)
    said = [("system", "Be brief."), ("human", "What is the capital of Colombia?")]
    call = {"id": "call_A1", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\":\"Bogotá\",\"unit\":\"celsius\"}"}}

    yield "chat", lambda: llm.invoke(said), [zipped(chat({"content": "Bogotá."}))]
    yield "chat-stream", lambda: list(llm.stream(said)), [stream(
        [chunk({"role": "assistant", "content": ""}), chunk({"content": "Bogo"}), chunk({"content": "tá."}), chunk({}, "stop"),
         record.usage_chunk(20, 3)])]

    def loop():
        from langchain_core.messages import HumanMessage, ToolMessage

        history = [HumanMessage("Weather in Bogotá?")]
        tool = llm.bind_tools([WEATHER])
        history.append(tool.invoke(history))
        history.append(ToolMessage("{\"sky\": \"rain\"}", tool_call_id="call_A1"))
        tool.invoke(history)

    yield "tools", loop, [plain(chat({"content": None, "tool_calls": [call]}, "tool_calls")), plain(chat({"content": "It rains in Bogotá."}))]
    yield "embed", lambda: OpenAIEmbeddings(
        model="text-embedding-3-small", api_key=KEY, max_retries=0, check_embedding_ctx_length=False).embed_documents(["one text", "another"]), [plain(
            {"object": "list", "model": "text-embedding-3-small", "usage": {"prompt_tokens": 4, "total_tokens": 4},
             "data": [{"object": "embedding", "index": i, "embedding": "zczMPQAAgL4="} for i in (0, 1)]})]
