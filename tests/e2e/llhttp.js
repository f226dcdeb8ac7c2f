// tests/e2e/llhttp.js - what llhttp, Node.js's parser, says of the same inputs in the same form as http1_verdict.c.
'use strict';
process.removeAllListeners('warning');
process.on('warning', () => {});
const { HTTPParser } = process.binding('http_parser');
const { methods } = require('_http_common');

function verdict(kind, bytes) {
  const messages = [];
  let open = null;
  let url = '';
  const parser = new HTTPParser();
  parser.initialize(kind === 'requests' ? HTTPParser.REQUEST : HTTPParser.RESPONSE, {}, 1 << 20, HTTPParser.kLenientNone);
  parser[HTTPParser.kOnMessageBegin] = () => { url = ''; };
  parser[HTTPParser.kOnHeaders] = (fields, u) => { url += u; };
  parser[HTTPParser.kOnHeadersComplete] = (major, minor, fields, method, u, status) => {
    if (kind === 'requests') {
      open = { start: Buffer.from(`${methods[method]} ${u || url}`, 'latin1').toString('hex') };
    } else {
      if (status < 200 && status !== 101) { open = { skip: true }; return 0; }
      open = { start: String(status) };
    }
    Object.assign(open, { version: `${major}.${minor}`, body: '', ambiguous: false, end: 'cut' });
    messages.push(open);
    return 0;
  };
  parser[HTTPParser.kOnBody] = (b, at, len) => {
    if (!open.skip) open.body += (len === undefined ? b : b.subarray(at, at + len)).toString('hex');
  };
  parser[HTTPParser.kOnMessageComplete] = () => { open.end = 'complete'; open = null; };
  let rc = parser.execute(bytes);
  const left = typeof rc === 'number' && rc < bytes.length;
  if (typeof rc === 'number') rc = left ? undefined : parser.finish();
  const error = rc instanceof Error ? rc.code : null;
  return { messages, left, error };
}

let input = Buffer.alloc(0);
process.stdin.on('data', (chunk) => {
  input = Buffer.concat([input, chunk]);
  for (;;) {
    const lf = input.indexOf(10);
    if (lf < 0) return;
    const [kind, n] = input.subarray(0, lf).toString().split(' ');
    const end = lf + 1 + Number(n);
    if (input.length < end) return;
    console.log(JSON.stringify(verdict(kind, input.subarray(lf + 1, end))));
    input = input.subarray(end);
  }
});
