// Node's http and tls modules through the proxy; arguments: a base URL, a text to send.

import assert from "node:assert/strict";
import http from "node:http";
import tls from "node:tls";

const [base, text] = process.argv.slice(2);
const target = new URL(base);
const proxy = new URL(process.env.HTTP_PROXY);

// One socket for all requests: the proxy's, or TLS inside a tunnel.
function tunnel() {
  return new Promise((resolve, reject) => {
    const connect = http.request({
      host: proxy.hostname,
      port: proxy.port,
      method: "CONNECT",
      path: target.host,
    });
    connect.on("error", reject);
    connect.on("connect", (response, socket) => {
      assert.equal(response.statusCode, 200);
      const secured = tls.connect({ socket, servername: target.hostname }, () => resolve(secured));
      secured.on("error", reject);
    });
    connect.end();
  });
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
if (target.protocol === "https:") {
  const socket = await tunnel();
  agent.createConnection = () => socket;
}

function exchange(method, path, body) {
  const clear = target.protocol === "http:";
  return new Promise((resolve, reject) => {
    const request = http.request({
      agent,
      method,
      host: clear ? proxy.hostname : target.hostname,
      port: clear ? proxy.port : target.port,
      path: clear ? `${base}${path}` : path,
      headers: { Host: target.host },
    });
    request.on("error", reject);
    request.on("response", (response) => {
      const pieces = [];
      response.on("data", (piece) => pieces.push(piece));
      response.on("end", () => resolve({ response, body: Buffer.concat(pieces).toString() }));
    });
    if (body) for (const piece of body) request.write(piece);
    request.end();
  });
}

for (let round = 0; round < 2; round += 1) {
  assert.equal((await exchange("GET", "/hello")).body, "hello");
}
assert.equal((await exchange("HEAD", "/hello")).response.headers["content-length"], "5");
assert.equal((await exchange("POST", "/echo", [text])).body, text);
const large = "0123456789abcde\n".repeat(65536);
assert.equal((await exchange("POST", "/echo", [large, large])).body, large + large);
assert.equal((await exchange("GET", "/events")).body, "data: 0\n\ndata: 1\n\ndata: 2\n\n");
assert.equal((await exchange("GET", "/missing")).response.statusCode, 404);
agent.destroy();
console.log("done");
