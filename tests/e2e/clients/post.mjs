// tests/e2e/clients/post.mjs - posts one request by Node.js's https, as post.py does.
import { readFileSync } from 'node:fs';
import https from 'node:https';

const job = JSON.parse(readFileSync(0, 'utf8'));
const headers = { ...job.headers, 'Content-Length': Buffer.byteLength(job.body) };
const request = https.request(job.url, { method: 'POST', headers, ca: job.ca }, (reply) => {
	let length = 0;
	reply.on('data', (chunk) => (length += chunk.length));
	reply.on('end', () => console.log(JSON.stringify({ status: reply.statusCode, length })));
});
request.end(job.body);
