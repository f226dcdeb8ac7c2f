// tests/e2e/clients/ports.mjs - as ports.py, in Node.js, with its own OpenSSL.
// usage: node ports.mjs server CERT KEY PORT | client PORT CONNECTIONS REQUESTS
import fs from "node:fs";
import https from "node:https";

const SIZES = [1, 4, 40, 800, 2000];
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const pick = (n) => Math.floor(Math.random() * n);
const token = (socket) => `<me ${socket.localPort} ${socket.remotePort}>`;

function serve(request, response) {
	request.resume();
	request.on("end", async () => {
		const me = token(request.socket);
		for (let i = 1 + pick(6); i; i--) {
			response.write(me.repeat(SIZES[pick(SIZES.length)]));
			await sleep(pick(5));
		}
		response.end(me);
	});
}

function post(port, agent) {
	return new Promise((done, fail) => {
		const request = https.request({ host: "127.0.0.1", port, agent, method: "POST", path: "/echo", rejectUnauthorized: false });
		const send = (socket) => {
			const me = token(socket);
			for (let i = 1 + pick(3); i; i--)
				request.write(me.repeat(SIZES[pick(SIZES.length)]));
			request.end(me);
		};
		request.on("socket", (socket) => (socket.secureConnecting ? socket.once("secureConnect", () => send(socket)) : send(socket)));
		request.on("response", (response) => response.resume().on("end", done));
		request.on("error", fail);
	});
}

const [role, ...args] = process.argv.slice(2);
if (role === "server") {
	const [cert, key, port] = args;
	https
		.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key), keepAliveTimeout: 60000 }, serve)
		.listen(Number(port), "127.0.0.1", 512, () => console.log("up"));
} else {
	const [port, connections, requests] = args.map(Number);
	const agents = Array.from({ length: connections }, () => new https.Agent({ keepAlive: true, maxSockets: 1 }));
	await Promise.all(agents.map((agent) => post(port, agent)));
	console.log("connected");
	await new Promise((done) => process.stdin.once("data", done));
	await Promise.all(
		agents.map(async (agent) => {
			for (let i = 1; i < requests; i++) {
				await post(port, agent);
				await sleep(pick(10));
			}
		}),
	);
	process.exit(0);
}
