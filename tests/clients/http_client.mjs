// Node's http and tls modules; arguments: a base URL, a text to send.

import assert from "node:assert/strict";
import http from "node:http";
import tls from "node:tls";

import { base, newStream, note, piece, text } from "./transcript.mjs";

const target = new URL(base);
const proxy = process.env.HTTP_PROXY ? new URL(process.env.HTTP_PROXY) : undefined;
const isClear = target.protocol === "http:";

// TLS to the target, inside a tunnel where there is a proxy.
function secure(socket, callback) {
  const options = socket ? { socket } : { host: target.hostname, port: target.port };
  const secured = tls.connect({ ...options, servername: target.hostname }, () => {
    callback(null, secured);
  });
  secured.on("error", callback);
}

function tunnel(callback) {
  const connect = http.request({
    host: proxy.hostname,
    port: proxy.port,
    method: "CONNECT",
    path: target.host,
  });
  connect.on("error", callback);
  connect.on("connect", (response, socket) => {
    assert.equal(response.statusCode, 200);
    secure(socket, callback);
  });
  connect.end();
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
if (!isClear) {
  agent.createConnection = (_, callback) => {
    if (proxy) tunnel(callback);
    else secure(undefined, callback);
  };
}

function open(method, path, headers = {}) {
  const first = isClear && proxy ? proxy : target;
  return http.request({
    agent,
    method,
    host: first.hostname,
    port: first.port,
    path: isClear && proxy ? base + path : path,
    headers: { Host: target.host, ...headers },
  });
}

// Sends the pieces once the origin says 100, where it is asked to.
function ask(step, method, path, pieces = [], headers = {}) {
  return new Promise((resolve, reject) => {
    const request = open(method, path, headers);
    const send = () => {
      for (const one of pieces) request.write(one);
      request.end();
    };
    let continued = false;
    request.on("error", reject);
    request.on("continue", () => {
      continued = true;
      send();
    });
    request.on("response", (response) => {
      const received = [];
      response.on("data", (one) => received.push(one));
      response.on("end", () => {
        const body = Buffer.concat(received);
        const fields = step === "fields" ? response.rawHeaders : [];
        note(step, `${response.statusCode} ${response.statusMessage}`, body, fields);
        resolve({ response, body, continued });
        if (headers.Expect) request.destroy();
      });
    });
    if (headers.Expect) request.flushHeaders();
    else send();
  });
}

async function readEvents() {
  const [path, stream] = newStream();
  const response = await new Promise((resolve, reject) => {
    const request = open("GET", path);
    request.on("error", reject);
    request.on("response", resolve);
    request.end();
  });
  for await (const event of response) {
    note("event", response.statusCode, event);
    await ask("seen", "GET", `/seen/${stream}/${event.toString().split(/\s/)[1]}`);
  }
}

for (let round = 0; round < 3; round += 1) {
  assert.equal((await ask("hello", "GET", "/hello")).body.toString(), "hello");
}
assert.equal((await ask("head", "HEAD", "/hello")).response.headers["content-length"], "5");
await ask("fields", "GET", "/fields");
await ask("none", "DELETE", "/none");
await ask("missing", "GET", "/missing?a=%2F&b=c");
assert.equal((await ask("post", "POST", "/echo", [text])).body.toString(), text);
const chunked = await ask("chunked", "POST", "/echo", [piece, piece]);
assert.deepEqual(chunked.body, Buffer.concat([piece, piece]));
const expecting = { Expect: "100-continue" };
const expected = await ask("expect", "POST", "/echo", [piece], expecting);
assert.ok(expected.continued);
assert.deepEqual(expected.body, piece);
const refused = await ask("refuse", "POST", "/refuse", [piece], expecting);
assert.equal(refused.response.statusCode, 401);
assert.ok(!refused.continued);
await readEvents();
const { body: large } = await ask("large", "GET", "/large");
const length = { "Content-Length": large.length };
assert.deepEqual((await ask("large put", "PUT", "/echo", [large], length)).body, large);
assert.deepEqual((await ask("chunks", "GET", "/chunks")).body, large);
await ask("close", "GET", "/close");
agent.destroy();
console.log("done");
