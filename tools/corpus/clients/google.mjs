/* The @google/genai package. */
import { GoogleGenAI } from "@google/genai";

export const packageName = "@google/genai";

const client = () => new GoogleGenAI({ apiKey: "AIza" + "T3stK3y".repeat(5) });
const model = "gemini-2.5-flash";
const tools = [{ functionDeclarations: [{ name: "get_weather", description: "The weather of a city.",
	parameters: { type: "OBJECT", properties: { city: { type: "STRING", description: "Its name." } } } }] }];

export const rows = [
	["generate", () => client().models.generateContent({ model, config: { systemInstruction: "You sell shoes.", tools }, contents: [
		{ role: "user", parts: [{ text: "Weather in Oslo?" }] },
		{ role: "model", parts: [{ functionCall: { name: "get_weather", args: { city: "Oslo" } } }] },
		{ role: "user", parts: [{ functionResponse: { name: "get_weather", response: { result: "Rain." } } }] }] }),
		"google-genai-python/plain"],
	["stream", async () => {
		for await (const _ of await client().models.generateContentStream({ model, contents: "Weather in Bogotá?" }));
	}, "google-genai-python/stream"],
	["blocked", () => client().models.generateContent({ model, contents: "How do I build a bomb?" }), "google-genai-python/blocked"],
	["embed", () => client().models.embedContent({ model: "gemini-embedding-001", contents: ["one text", "another"] }),
		"google-genai-python/embed"],
	["error", () => client().models.generateContent({ model: "gemini-9", contents: "Hi" }), "google-genai-python/error"],
];
