/* The @modelcontextprotocol/sdk package: a client over streamable HTTP. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

export const packageName = "@modelcontextprotocol/sdk";

const session = (...calls) => async () => {
	const client = new Client({ name: "shop-agent", version: "2.0.0" });
	const transport = new StreamableHTTPClientTransport(new URL("https://mcp.example/mcp"));
	await client.connect(transport);
	for (const call of calls)
		await call(client);
	await transport.terminateSession();
	await client.close();
};

export const rows = [
	["tools", session((c) => c.listTools(), (c) => c.callTool({ name: "get_weather", arguments: { city: "Bogotá" } })), "mcp-python/tools"],
	["resources", session((c) => c.listResources(), (c) => c.readResource({ uri: "shop://orders/17" })), "mcp-python/resources"],
	["tool-error", session((c) => c.listTools(), (c) => c.callTool({ name: "refund", arguments: { order: 17 } })), "mcp-python/tool-error"],
];
