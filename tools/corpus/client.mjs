/* tools/corpus/client.mjs SDK - the operations of one SDK for Node.js, as client.py has those for Python. A row of an SDK is the
 * operation's name, what makes the calls, and the row of another SDK whose answers it gets. */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const { rows, packageName } = await import(`./clients/${process.argv[2]}.mjs`);
const { version } = JSON.parse(readFileSync(new URL(`./node_modules/${packageName}/package.json`, import.meta.url)));
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (row) => console.log(JSON.stringify(row));

for (const [operation, call, like] of rows) {
	say({ operation, version, like });
	if ((await lines.next()).value !== "go")
		continue;
	try {
		await call();
		say({ done: operation });
	} catch (e) {
		say(e.status || e.status_code || e.code ? { done: operation, refused: String(e) } : { error: String(e.stack) });
	}
}
process.exit(0);
