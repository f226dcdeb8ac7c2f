// tests/e2e/clients/sdk.mjs - runs jobs through OpenAI's own client for Node.js, whose OpenSSL is inside the node binary.
// Same input and output as sdk.py; started with NODE_EXTRA_CA_CERTS, because fetch() has no option for a CA.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(process.env.EARSHOT_NODE_DIR + '/');
const OpenAI = require('openai').OpenAI;
const conf = JSON.parse(readFileSync(0, 'utf8'));

const chat = {
	args(job, messages) {
		const tools = (job.tools ?? []).map((f) => ({ type: 'function', function: f }));
		return {
			model: job.model, messages, user: job.user, stream: !!job.stream,
			...(job.stream && { stream_options: { include_usage: true } }), ...(tools.length && { tools }),
		};
	},
	create: (client, args) => client.chat.completions.create(args),
	whole(fold, reply) {
		const [choice] = reply.choices;
		fold.text = choice.message.content ?? '';
		fold.finish = choice.finish_reason;
		fold.usage = reply.usage;
		for (const c of choice.message.tool_calls ?? [])
			fold.calls.push({ id: c.id, name: c.function.name, arguments: c.function.arguments });
	},
	event(fold, chunk) {
		fold.usage = chunk.usage ?? fold.usage;
		for (const choice of chunk.choices) {
			fold.text += choice.delta.content ?? '';
			fold.finish = choice.finish_reason ?? fold.finish;
			for (const c of choice.delta.tool_calls ?? []) {
				fold.calls[c.index] ??= { id: c.id, name: c.function.name, arguments: '' };
				fold.calls[c.index].arguments += c.function.arguments ?? '';
			}
		}
	},
	followUp(fold, messages, result) {
		const tool_calls = fold.calls.map((c) => ({ id: c.id, type: 'function', function: { name: c.name, arguments: c.arguments } }));
		return [...messages, { role: 'assistant', content: null, tool_calls },
			...fold.calls.map((c) => ({ role: 'tool', tool_call_id: c.id, content: result }))];
	},
};

const responses = {
	args(job, input) {
		const tools = (job.tools ?? []).map((f) => ({ type: 'function', strict: false, ...f }));
		return { model: job.model, input, user: job.user, stream: !!job.stream, ...(tools.length && { tools }) };
	},
	create: (client, args) => client.responses.create(args),
	whole(fold, reply) {
		fold.text = reply.output.flatMap((i) => i.content ?? []).map((p) => p.text ?? '').join('');
		fold.finish = reply.status;
		fold.usage = reply.usage;
		for (const i of reply.output)
			if (i.type === 'function_call') fold.calls.push({ id: i.call_id, name: i.name, arguments: i.arguments });
	},
	event(fold, e) {
		if (e.type === 'response.completed') responses.whole(fold, e.response);
	},
	followUp(fold, items, result) {
		return [...items, ...fold.calls.map((c) => ({ type: 'function_call', call_id: c.id, name: c.name, arguments: c.arguments })),
			...fold.calls.map((c) => ({ type: 'function_call_output', call_id: c.id, output: result }))];
	},
};

for (const job of conf.jobs) {
	const client = new OpenAI({ baseURL: conf.base_url, apiKey: job.key, maxRetries: 0 });
	const api = job.api === 'chat' ? chat : responses;
	let messages = job.messages;
	let fold = null;
	let requests = 0;
	let error = null;
	const begun = Date.now() / 1000;
	try {
		do {
			if (fold) messages = api.followUp(fold, messages, job.tool_result);
			fold = { text: '', calls: [], finish: null, usage: null };
			requests++;
			const reply = await api.create(client, api.args(job, messages));
			if (job.stream) for await (const event of reply) api.event(fold, event);
			else api.whole(fold, reply);
		} while (fold.calls.length);
	} catch (e) {
		if (!(e instanceof OpenAI.APIError)) throw e;
		error = { status: e.status ?? null, code: e.code ?? null, message: e.message };
	}
	console.log(JSON.stringify({
		name: job.name, text: fold.text, finish: fold.finish, requests, tokens: fold.usage?.total_tokens ?? null, error,
		begun, ended: Date.now() / 1000,
	}));
}
