/* The @anthropic-ai/sdk package. */
import Anthropic from "@anthropic-ai/sdk";

export const packageName = "@anthropic-ai/sdk";

const client = () => new Anthropic({ apiKey: "sk-ant-api03-" + "T3stK3y0".repeat(4), maxRetries: 0 });
const tools = [{
	name: "get_weather",
	description: "The weather of a city.",
	input_schema: { type: "object", properties: { city: { type: "string", description: "The city's name." } } },
}];
const base = { model: "claude-sonnet-4-5", max_tokens: 1024 };
const user = (content) => [{ role: "user", content }];

export const rows = [
	["messages", () => client().messages.create({ ...base, system: "You sell shoes.", messages: user("What is this?"),
		metadata: { user_id: "user-4711" } }), "anthropic-python/plain"],
	["messages-stream", async () => {
		for await (const _ of client().messages.stream({ ...base, messages: user("Weather in Bogotá?"), tools }));
	}, "anthropic-python/stream"],
	["messages-tools", () => client().messages.create({ ...base, tools, messages: [...user("Weather in Oslo?"),
		{ role: "assistant", content: [{ type: "tool_use", id: "toolu_1", name: "get_weather", input: { city: "Oslo" } }] },
		{ role: "user", content: [{ type: "tool_result", tool_use_id: "toolu_1", content: "Rain, 4 degrees." }] }] }),
		"anthropic-python/tools"],
	["overloaded", () => client().messages.create({ ...base, messages: user("Hi") }), "anthropic-python/overloaded"],
	["count", () => client().messages.countTokens({ model: base.model, messages: user("Hi") }), "anthropic-python/count"],
];
