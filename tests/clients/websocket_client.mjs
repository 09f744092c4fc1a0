// ws and undici's WebSocket through the proxy, or without one where HTTPS_PROXY is unset; arguments: a URL, a
// text to send. Prints over how many connections it sent the text, as one message and as many, which came back.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { HttpsProxyAgent } from "https-proxy-agent";
import { Agent, ProxyAgent, WebSocket as UndiciSocket } from "undici";
import WebSocket from "ws";

const [url, text] = process.argv.slice(2);
const proxy = process.env.HTTPS_PROXY;
const lines = Array.from({ length: 20_000 }, (_, n) => `line ${n} of something that compresses well\n`);
const large = lines.join("");
const noise = randomBytes(1024 * 1024);
const pieces = text.match(/.{1,5}/gs);
const variants = [
  { perMessageDeflate: false },
  { perMessageDeflate: { threshold: 0 } },
  {
    perMessageDeflate: {
      threshold: 0,
      clientNoContextTakeover: true,
      serverNoContextTakeover: true,
      clientMaxWindowBits: 10,
      serverMaxWindowBits: 9,
    },
  },
];

async function exercise(options) {
  const agent = proxy && new HttpsProxyAgent(proxy);
  const socket = new WebSocket(url, { agent, ...options });
  await once(socket, "open");
  assert.equal(socket.extensions !== "", options.perMessageDeflate !== false);
  for (const message of ["hello", "", text, large, noise, ...pieces]) {
    socket.send(message);
    const [echoed] = await once(socket, "message");
    assert.deepEqual(echoed, Buffer.from(message));
  }
  for (let start = 0; start < 100_000; start += 997) {
    socket.send(large.slice(start, start + 997), { fin: false });
  }
  socket.send("end", { fin: true });
  const [joined] = await once(socket, "message");
  assert.ok(joined.toString().endsWith("end"));
  socket.ping("are you there");
  await once(socket, "pong");
  socket.close(1000, "done");
  const [code] = await once(socket, "close");
  assert.equal(code, 1000);
}

async function exerciseUndici() {
  const dispatcher = proxy ? new ProxyAgent({ uri: proxy }) : new Agent();
  const socket = new UndiciSocket(url, { dispatcher });
  socket.binaryType = "arraybuffer";
  await once(socket, "open");
  for (const message of ["hello", text, large, noise, ...pieces]) {
    socket.send(message);
    const [{ data }] = await once(socket, "message");
    assert.deepEqual(Buffer.from(data), Buffer.from(message));
  }
  socket.close(1000, "done");
  await once(socket, "close");
}

for (const variant of variants) await exercise(variant);
await exerciseUndici();
console.log(variants.length + 1);
process.exit(0);
