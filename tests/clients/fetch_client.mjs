// Node's fetch (undici) through the proxy; arguments: a base URL, a text to send.

import assert from "node:assert/strict";
import { EnvHttpProxyAgent, ProxyAgent, fetch as undiciFetch, setGlobalDispatcher } from "undici";

const [base, text] = process.argv.slice(2);
const large = Buffer.from("0123456789abcde\n".repeat(65536));

async function* twice() {
  yield large;
  yield large;
}

async function exercise(fetch) {
  for (let round = 0; round < 2; round += 1) {
    assert.equal(await (await fetch(`${base}/hello`)).text(), "hello");
  }
  const head = await fetch(`${base}/hello`, { method: "HEAD" });
  assert.equal(head.headers.get("content-length"), "5");
  assert.equal(await (await fetch(`${base}/redirect`)).text(), "hello");
  const streamed = await fetch(`${base}/echo`, { method: "POST", body: twice(), duplex: "half" });
  assert.deepEqual(Buffer.from(await streamed.arrayBuffer()), Buffer.concat([large, large]));
  const events = await (await fetch(`${base}/events`)).text();
  assert.equal(events, "data: 0\n\ndata: 1\n\ndata: 2\n\n");
  assert.equal((await fetch(`${base}/missing`)).status, 404);
}

// By the environment, as agents are set up.
setGlobalDispatcher(new EnvHttpProxyAgent());
await exercise(undiciFetch);
const echoed = await undiciFetch(`${base}/echo`, { method: "POST", body: text });
assert.equal(await echoed.text(), text);

// By name, which tunnels http as well.
const named = new ProxyAgent(process.env.HTTP_PROXY);
await exercise((url, options = {}) => undiciFetch(url, { ...options, dispatcher: named }));

// The built-in fetch takes the installed dispatcher where the two speak the same interface.
const [major] = process.versions.undici.split(".");
if (Number(major) <= 6) await exercise(globalThis.fetch);
console.log("done");
process.exit(0);
