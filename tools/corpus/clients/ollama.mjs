/* The ollama package, at an Ollama behind TLS. */
import { Ollama } from "ollama";

export const packageName = "ollama";

const client = () => new Ollama({ host: "https://ollama.example" });
const tools = [{ type: "function", function: { name: "get_weather", description: "The weather of a city.",
	parameters: { type: "object", properties: { city: { type: "string", description: "Its name." } } } } }];

export const rows = [
	["chat-stream", async () => {
		for await (const _ of await client().chat({ model: "llama3.2", stream: true, tools, messages: [
			{ role: "system", content: "You sell shoes." }, { role: "user", content: "Weather in Bogotá?" }] }));
	}, "ollama-python/chat"],
	["generate", () => client().generate({ model: "llava", prompt: "Describe it.", system: "You see well." }), "ollama-python/generate"],
	["embed", () => client().embed({ model: "all-minilm", input: ["one text", "another"] }), "ollama-python/embed"],
	["missing", () => client().chat({ model: "nope", messages: [{ role: "user", content: "Hi" }] }), "ollama-python/missing"],
];
