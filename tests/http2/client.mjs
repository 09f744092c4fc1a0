// Node's http2 module; arguments: a base URL, the names of steps, and what is to be sent, in TEXT. The steps run on one
// session, through the proxy of HTTP_PROXY if there is one; each prints what it got, and `done` stands at the end.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import http from "node:http";
import http2 from "node:http2";
import tls from "node:tls";
import { gunzipSync, gzipSync } from "node:zlib";

const [base, ...steps] = process.argv.slice(2);
const text = process.env.TEXT ?? "";
const target = new URL(base);
const piece = Buffer.from("0123456789abcde\n".repeat(16384));
const CONCURRENT = 100;

function note(step, ...words) {
  console.log(step, ...words);
}

function digest(body) {
  return createHash("sha256").update(body).digest("hex");
}

function tunnel() {
  const { hostname, port } = new URL(process.env.HTTP_PROXY);
  return new Promise((resolve, reject) => {
    const connect = http.request({ host: hostname, port, method: "CONNECT", path: target.host });
    connect.on("error", reject);
    connect.on("connect", (response, socket) => {
      assert.equal(response.statusCode, 200);
      resolve(socket);
    });
    connect.end();
  });
}

async function secure(ALPNProtocols) {
  const way = process.env.HTTP_PROXY
    ? { socket: await tunnel() }
    : { host: target.hostname, port: target.port };
  const options = { ...way, servername: target.hostname, ...(ALPNProtocols && { ALPNProtocols }) };
  return new Promise((resolve, reject) => {
    const secured = tls.connect(options, () => resolve(secured));
    secured.on("error", reject);
  });
}

async function connect() {
  const options = { maxSendHeaderBlockLength: 1024 * 1024, maxSessionMemory: 1000 };
  if (target.protocol === "https:") {
    const secured = await secure(["h2"]);
    assert.equal(secured.alpnProtocol, "h2");
    options.createConnection = () => secured;
  } else if (process.env.HTTP_PROXY) {
    const socket = await tunnel();
    options.createConnection = () => socket;
  }
  const session = http2.connect(base, options);
  session.on("error", (error) => note("session", error.code));
  return session;
}

const session = await connect();

// Opens a stream; its answer's head, trailers, hints and body are promised.
function open(method, path, fields = {}, on = session) {
  const stream = on.request({ ":method": method, ":path": path, ...fields });
  const hints = [];
  let trailers;
  stream.on("headers", (fields) => hints.push(fields[":status"]));
  stream.on("trailers", (fields) => {
    trailers = fields;
  });
  const failed = new Promise((_, reject) => stream.on("error", reject));
  const answered = new Promise((resolve) => stream.on("response", resolve));
  const ended = new Promise((resolve, reject) => {
    const received = [];
    stream.on("data", (one) => received.push(one));
    stream.on("end", () => resolve(Buffer.concat(received)));
    stream.on("close", () => reject(new Error(`closed with ${stream.rstCode}`)));
  });
  const head = Promise.race([answered, failed, ended.then(() => answered)]);
  const body = Promise.race([ended, failed]);
  // Not every step asks for both.
  for (const promised of [failed, ended, head, body]) promised.catch(() => {});
  return {
    stream,
    head,
    body,
    closed: new Promise((resolve) => stream.on("close", () => resolve(stream.rstCode))),
    hints,
    trailers: () => trailers,
  };
}

async function ask(step, method, path, pieces = [], fields = {}, on = session) {
  const exchange = open(method, path, fields, on);
  for (const one of pieces) exchange.stream.write(one);
  exchange.stream.end();
  const head = await exchange.head;
  const body = await exchange.body;
  note(step, head[":status"], body.length, digest(body));
  return { ...exchange, head, body };
}

async function nextPiece(stream, received) {
  while (received.length === 0) await new Promise((resolve) => stream.once("data", resolve));
  return received.shift();
}

const play = {
  async plain() {
    for (let round = 0; round < 3; round += 1) {
      assert.equal((await ask("hello", "GET", "/hello")).body.toString(), "hello");
    }
    const { head } = await ask("head", "HEAD", "/hello");
    assert.equal(head["content-length"], "5");
    await ask("none", "DELETE", "/none");
    const unmodified = await ask("unmodified", "GET", "/unmodified", [], { "if-none-match": '"one"' });
    note("etag", unmodified.head.etag);
    await ask("missing", "GET", "/missing?a=%2F&b=c");
  },
  async fields() {
    const sent = { "x-one": "a  b", "x-empty": "", cookie: ["a=1", "b=2"] };
    const { head, body } = await ask("fields", "GET", "/fields", [], sent);
    note("sent", JSON.stringify(body.toString()));
    note("cookies", JSON.stringify(head["set-cookie"]), JSON.stringify(head["x-empty"]), head["x-utf8"]);
  },
  async post() {
    assert.equal((await ask("post", "POST", "/echo", [text])).body.toString(), text);
    const length = { "content-length": piece.length };
    assert.deepEqual((await ask("length", "POST", "/echo", [piece], length)).body, piece);
    assert.deepEqual((await ask("pieces", "POST", "/echo", [piece, piece])).body.length, 2 * piece.length);
  },
  async large() {
    const { body } = await ask("large", "GET", "/large");
    assert.equal(body.length, 10 * 1024 * 1024);
    note("put", (await ask("put", "PUT", "/digest", [body])).body.toString());
    assert.deepEqual((await ask("echo", "PUT", "/echo", [body])).body, body);
  },
  async trailers() {
    const answer = await ask("trailers", "GET", "/trailers", [], { te: "trailers" });
    note("sum", answer.trailers()?.["x-sum"]);
    const exchange = session.request({ ":method": "POST", ":path": "/trailed" }, { waitForTrailers: true });
    exchange.on("wantTrailers", () => exchange.sendTrailers({ "x-sum": "4" }));
    exchange.end("body");
    let body = "";
    for await (const one of exchange) body += one;
    note("trailed", body);
  },
  async hints() {
    const answer = await ask("hints", "GET", "/hints");
    note("hinted", JSON.stringify(answer.hints));
  },
  // The answer ends while the request has not.
  async early() {
    const exchange = open("POST", "/early");
    exchange.stream.write("beginning");
    const head = await exchange.head;
    note("early", head[":status"], (await exchange.body).toString());
    exchange.stream.close();
    await exchange.closed;
  },
  async zipped() {
    const fields = { "content-encoding": "gzip", "content-type": "text/plain" };
    const { head, body } = await ask("zipped", "POST", "/zipped", [gzipSync(text)], fields);
    assert.equal(head["content-encoding"], "gzip");
    assert.equal(gunzipSync(body).toString(), text);
  },
  async events() {
    const { stream, head, body } = open("GET", "/events/node");
    stream.end();
    note("events", (await head)[":status"]);
    let number = 0;
    stream.on("data", (event) => {
      note("event", JSON.stringify(event.toString()));
      open("GET", `/seen/node/${number}`).stream.end();
      number += 1;
    });
    await body;
  },
  // Events that others hold back, with a request in front and behind.
  async around() {
    await ask("before", "POST", "/echo/before", [text]);
    const { stream, body } = open("GET", "/events/around");
    stream.end();
    note("around", JSON.stringify((await body).toString()));
    await ask("after", "POST", "/echo/after", [text]);
  },
  // The same with nothing beside it.
  async last() {
    const { stream, body } = open("GET", "/events/last");
    stream.end();
    note("last", JSON.stringify((await body).toString()));
  },
  // A key in a field, and in a body.
  async key() {
    await ask("field", "GET", "/hello", [], { "x-api-key": text });
    await ask("body", "POST", "/echo", [text]);
  },
  // Both sides by turns, the request without an end.
  async turns() {
    const exchange = open("POST", "/echo");
    const received = [];
    exchange.stream.on("data", (one) => received.push(one.toString()));
    for (let round = 0; round < 20; round += 1) {
      exchange.stream.write(`turn ${round}`);
      assert.equal(await nextPiece(exchange.stream, received), `turn ${round}`);
    }
    exchange.stream.end();
    await exchange.body;
    note("turns", (await exchange.head)[":status"]);
  },
  async together() {
    const path = `/together/node/${CONCURRENT}`;
    const asked = Array.from({ length: CONCURRENT }, () => ask("together", "GET", path));
    await Promise.all(asked);
  },
  // Large bodies both ways, by many at a time, of whom each has its own.
  async crowd() {
    const crowd = Array.from({ length: 20 }, async (_, number) => {
      const sent = Buffer.alloc(1024 * 1024, String.fromCharCode(97 + number));
      const { stream, body } = open("POST", `/echo/${number}`);
      stream.end(sent);
      assert.deepEqual(await body, sent);
    });
    await Promise.all(crowd);
    note("crowd", crowd.length);
  },
  // Says what a file is to hold, and what another one.
  async named() {
    await ask("accepted", "POST", "/echo/accepted", [text]);
    await ask("reported", "POST", "/echo/reported", [text]);
  },
  async cancel() {
    for (const path of ["/wait/first", "/begin/first"]) {
      const exchange = open("POST", path);
      exchange.stream.write("beginning");
      if (path.startsWith("/begin")) await exchange.head;
      else await ask("arrived", "GET", "/arrived/first");
      exchange.stream.close(http2.constants.NGHTTP2_CANCEL);
      note("cancelled", await exchange.closed);
    }
    await ask("after", "GET", "/hello");
  },
  // Streams that go on until the client is ended.
  async linger() {
    for (const path of ["/wait/linger", "/begin/linger"]) open("POST", path).stream.write("beginning");
    await new Promise(() => setInterval(() => {}, 1000));
  },
  async broken() {
    const { NGHTTP2_ENHANCE_YOUR_CALM: code } = http2.constants;
    const exchange = open("GET", `/broken/${code}`);
    exchange.stream.end();
    // The end may overtake what was said before it.
    const status = await exchange.head.then((head) => head[":status"], () => "none");
    const outcome = await exchange.body.then(() => "whole", () => "broken");
    note("broken", status, outcome, await exchange.closed);
    await ask("after", "GET", "/hello");
  },
  // Before an answer's head: an error of the stream, or an answer of the proxy's.
  async reset() {
    const { NGHTTP2_ENHANCE_YOUR_CALM: code } = http2.constants;
    const exchange = open("GET", `/reset/${code}`);
    exchange.stream.end();
    const outcome = await exchange.head.then((head) => head[":status"], () => "reset");
    note("reset", outcome, await exchange.closed);
    await ask("after", "GET", "/hello");
  },
  // Requests that their origin did not look at, with a body: by a reset, and by its connection's goodbye.
  async refused() {
    for (const path of [`/reset/${http2.constants.NGHTTP2_REFUSED_STREAM}`, "/abrupt"]) {
      await ask("before", "GET", "/hello");
      const exchange = open("POST", path);
      exchange.stream.end(piece);
      const outcome = await exchange.head.then((head) => head[":status"], () => "reset");
      note("refused", outcome, await exchange.closed);
    }
    await ask("after", "GET", "/hello");
  },
  // A value of JSON whose letters are all escaped, and the same as an event.
  async escaped() {
    const units = Array.from(text, (unit) => unit.charCodeAt(0).toString(16).padStart(4, "0"));
    const escaped = `{"text": "${units.map((unit) => `\\u${unit}`).join("")}"}`;
    const fields = { "content-type": "application/json" };
    const { body } = await ask("escaped", "POST", "/event", [escaped], fields);
    assert.equal(body.toString(), `data: ${escaped}\n\n`);
  },
  async goaway() {
    for (let round = 0; round < 5; round += 1) {
      assert.equal((await ask("goaway", "GET", "/goaway")).body.toString(), "the last");
      assert.equal((await ask("after", "GET", "/hello")).body.toString(), "hello");
    }
  },
  async unended() {
    for (let round = 0; round < 2; round += 1) {
      assert.equal((await ask("unended", "GET", "/unended")).body.toString(), "ok");
    }
  },
  // A stream goes on while others find another connection.
  async survive() {
    const exchange = open("POST", "/echo");
    const received = [];
    exchange.stream.on("data", (one) => received.push(one.toString()));
    for (let round = 0; round < 3; round += 1) {
      exchange.stream.write(`turn ${round}`);
      assert.equal(await nextPiece(exchange.stream, received), `turn ${round}`);
      await ask("goaway", "GET", "/goaway");
      assert.equal((await ask("after", "GET", "/hello")).body.toString(), "hello");
    }
    exchange.stream.end();
    await exchange.body;
  },
  // Streams that nobody reads at the origin, and streams that are not read here, leave room for others.
  async stalled() {
    const uploads = Array.from({ length: 8 }, (_, number) => open("POST", `/wait/stalled${number}`));
    for (const { stream } of uploads) stream.write(Buffer.alloc(1024 * 1024, "a"));
    for (const number of uploads.keys()) await ask("arrived", "GET", `/arrived/stalled${number}`);
    assert.equal((await ask("meanwhile", "POST", "/echo", [piece])).body.length, piece.length);
    const downloads = Array.from({ length: 8 }, () => open("GET", "/large"));
    for (const { stream, head } of downloads) {
      stream.pause();
      await head;
    }
    assert.equal((await ask("meanwhile", "POST", "/echo", [piece])).body.length, piece.length);
    for (const { stream } of [...uploads, ...downloads]) stream.close(http2.constants.NGHTTP2_CANCEL);
  },
  async heads() {
    const fields = { "x-long": "a".repeat(100 * 1024) };
    const exchange = open("GET", "/hello", fields);
    exchange.stream.end();
    const outcome = await exchange.head.then((head) => head[":status"], (error) => error.code);
    note("heads", outcome);
    await ask("after", "GET", "/hello");
  },
  async elsewhere() {
    const fields = { ":authority": "elsewhere.example" };
    note("elsewhere", (await ask("mismatch", "GET", "/hello", [], fields)).body.toString());
    await ask("after", "GET", "/hello");
  },
  async alpn() {
    for (const offered of [["h2"], ["h2", "http/1.1"], ["http/1.1"], undefined]) {
      const secured = await secure(offered);
      note("alpn", offered ?? "none", secured.alpnProtocol);
      secured.destroy();
    }
  },
  // The answer as it is.
  async fetch() {
    const { head, body } = await ask("fetch", "GET", "/");
    note("fetched", head["content-type"], JSON.stringify(body.toString()));
  },
  // Of a server of files.
  async files() {
    await ask("short", "GET", "/short.txt");
    const { head } = await ask("head", "HEAD", "/long.txt");
    note("length", head["content-length"]);
    const since = { "if-none-match": head.etag };
    await ask("unmodified", "GET", "/long.txt", [], since);
    await ask("gone", "GET", "/gone");
    await ask("empty", "GET", "/empty");
    await ask("missing", "GET", "/missing");
    await ask("post", "POST", "/short.txt", [piece]);
    await ask("long", "GET", "/long.txt");
    const part = await ask("part", "GET", "/long.txt", [], { range: "bytes=16-31" });
    note("part", JSON.stringify(part.body.toString()));
    await Promise.all(Array.from({ length: 30 }, () => ask("short", "GET", "/short.txt")));
  },
  async unwanted() {
    for (let turn = 0; turn < 6; turn += 1) {
      await ask("short", "GET", "/short.txt");
      const { closed } = await ask("unwanted", "POST", "/short.txt", [piece]);
      await closed;
    }
  },
};

for (const step of steps) await play[step]();
note("session", session.closed || session.destroyed ? "ended" : "open");
session.close();
note("done");
