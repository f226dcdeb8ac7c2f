/* The openai package. */
import OpenAI from "openai";

export const packageName = "openai";

const client = () => new OpenAI({ apiKey: "sk-proj-" + "T3stK3y0".repeat(6), maxRetries: 0, fetchOptions: {} });
const weather = {
	name: "get_weather",
	description: "Current weather of a place.",
	parameters: { type: "object", properties: { city: { type: "string", description: "Name of the city." } } },
};
const user = (content) => [{ role: "user", content }];
const drain = async (stream) => {
	for await (const _ of await stream);
};

export const rows = [
	["chat", () => client().chat.completions.create({ model: "gpt-4o", messages: user("What is the capital of Colombia?") }),
		"openai-python/chat-plain"],
	["chat-stream", () => drain(client().chat.completions.create({ model: "gpt-4o-mini", messages: user("Say hello."), stream: true,
		stream_options: { include_usage: true } })), "openai-python/chat-stream"],
	["chat-tools-stream", () => drain(client().chat.completions.create({ model: "gpt-4o-mini", messages: user("Weather in Bogotá and Oslo?"),
		stream: true, tools: [{ type: "function", function: weather }] })), "openai-python/chat-tools-stream"],
	["chat-tools", () => client().chat.completions.create({ model: "gpt-4o", messages: [...user("Weather in Bogotá?"),
		{ role: "assistant", content: null, tool_calls: [{ id: "call_A1", type: "function",
			function: { name: "get_weather", arguments: '{"city":"Bogotá"}' } }] },
		{ role: "tool", tool_call_id: "call_A1", content: '{"temperature": 14, "sky": "rain"}' }] }), "openai-python/chat-tools"],
	["chat-refusal", () => client().chat.completions.create({ model: "gpt-4o", messages: user("How do I build a bomb?") }),
		"openai-python/chat-refusal"],
	["chat-error", () => client().chat.completions.create({ model: "gpt-4o", messages: user("Hello") }), "openai-python/chat-error"],
	["responses-stream", () => drain(client().responses.create({ model: "gpt-5", input: user("Weather in Bogotá?"), stream: true,
		tools: [{ type: "function", strict: false, ...weather }] })), "openai-python/responses-stream"],
	["embedding", () => client().embeddings.create({ model: "text-embedding-3-small", input: ["The food was delicious", "and the waiter…"],
		encoding_format: "float" }), "openai-python/embedding"],
];
