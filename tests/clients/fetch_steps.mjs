// The steps of a client that has `fetch`.

import assert from "node:assert/strict";

import { base, newStream, note, piece, pieces, text } from "./transcript.mjs";

export async function play(fetch) {
  async function ask(step, method, path, options = {}) {
    const answer = await fetch(base + path, { method, ...options });
    const body = Buffer.from(await answer.arrayBuffer());
    const fields = step === "fields" ? [...answer.headers] : [];
    note(step, `${answer.status} ${answer.statusText}`, body, fields);
    return { answer, body };
  }

  for (let round = 0; round < 3; round += 1) {
    assert.equal((await ask("hello", "GET", "/hello")).body.toString(), "hello");
  }
  const head = await ask("head", "HEAD", "/hello");
  assert.equal(head.answer.headers.get("content-length"), "5");
  await ask("fields", "GET", "/fields");
  await ask("none", "DELETE", "/none");
  await ask("missing", "GET", "/missing?a=%2F&b=c");
  assert.equal((await ask("redirect", "GET", "/redirect")).body.toString(), "hello");
  assert.equal((await ask("post", "POST", "/echo", { body: text })).body.toString(), text);
  const streamed = await ask("chunked", "POST", "/echo", { body: pieces(), duplex: "half" });
  assert.deepEqual(streamed.body, Buffer.concat([piece, piece]));
  const [path, stream] = newStream();
  const events = await fetch(base + path);
  for await (const event of events.body) {
    note("event", events.status, event);
    await ask("seen", "GET", `/seen/${stream}/${Buffer.from(event).toString().split(/\s/)[1]}`);
  }
  const { body: large } = await ask("large", "GET", "/large");
  assert.deepEqual((await ask("large put", "PUT", "/echo", { body: large })).body, large);
  assert.deepEqual((await ask("chunks", "GET", "/chunks")).body, large);
  await ask("close", "GET", "/close");
  console.log("done");
}
