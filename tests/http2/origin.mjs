// An origin of Node; arguments: which protocols it speaks (`h2`, `both`, `http/1.1`, `neither`, or `clear`, which is HTTP/2
// without TLS), and a certificate chain and its key. It prints its port, then a line for whatever happens to it.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import http2 from "node:http2";
import https from "node:https";
import { gunzipSync, gzipSync } from "node:zlib";

const [kind, chain, key] = process.argv.slice(2);
const large = Buffer.alloc(10 * 1024 * 1024, "0123456789abcde\n");

// What waits for others: those that are here, by name.
const gathered = new Map();
const seen = new Map();

// A line is written whole before anything else happens.
function say(...words) {
  process.stdout.write(`${words.join(" ")}\n`);
}

async function read(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces);
}

function once(events, name) {
  if (!events.has(name)) {
    let happens;
    const happened = new Promise((resolve) => {
      happens = resolve;
    });
    events.set(name, { happened, happens, count: 0 });
  }
  return events.get(name);
}

// Ends the exchange badly, as its protocol can.
function breakOff(request, response, code) {
  if (response.stream) response.stream.close(code);
  else request.socket.destroy();
}

const routes = {
  hello(request, response) {
    response.writeHead(200, { "content-length": 5, "content-type": "text/plain" });
    response.end(request.method === "HEAD" ? undefined : "hello");
  },
  none(_, response) {
    response.writeHead(204);
    response.end();
  },
  unmodified(_, response) {
    response.writeHead(304, { etag: '"one"' });
    response.end();
  },
  async fields(request, response) {
    const names = ["x-one", "x-empty", "cookie", "user-agent"];
    const shown = names.map((name) => `${name}=${request.headers[name]}`).join("\n");
    const answer = { "set-cookie": ["a=1", "b=2"], "x-empty": "", "x-utf8": "caf\u00e9" };
    response.writeHead(200, answer);
    response.end(shown);
  },
  // Each piece as it comes.
  echo(request, response) {
    const type = request.headers["content-type"];
    response.writeHead(200, type ? { "content-type": type } : {});
    request.pipe(response);
  },
  async digest(request, response) {
    const body = await read(request);
    const digest = createHash("sha256").update(body).digest("hex");
    response.end(`${body.length} ${digest}`);
  },
  large(_, response) {
    response.end(large);
  },
  trailers(_, response) {
    response.writeHead(200, { trailer: "x-sum" });
    response.write("body");
    response.addTrailers({ "x-sum": "4" });
    response.end();
  },
  // Says what came behind the body.
  async trailed(request, response) {
    const body = await read(request);
    response.end(`${body} ${request.trailers["x-sum"]}`);
  },
  hints(_, response) {
    response.writeEarlyHints({ link: "</style.css>; rel=preload" });
    response.end("hinted");
  },
  // An answer to a body that nobody reads.
  early(_, response) {
    response.writeHead(413, { "content-type": "text/plain" });
    response.end("too long");
  },
  async zipped(request, response) {
    const text = gunzipSync(await read(request));
    response.writeHead(200, { "content-type": "text/plain", "content-encoding": "gzip" });
    response.end(gzipSync(text));
  },
  // Each event once the client has seen the one before it.
  async events(_, response, stream) {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const number of [0, 1, 2]) {
      response.write(`data: ${number}\n\n`);
      await once(seen, `${stream}/${number}`).happened;
      seen.delete(`${stream}/${number}`);
    }
    response.end();
  },
  async event(request, response) {
    const data = await read(request);
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(`data: ${data}\n\n`);
  },
  seen(_, response, stream, number) {
    once(seen, `${stream}/${number}`).happens();
    response.end("noted");
  },
  // Each answer once so many have asked.
  async together(_, response, name, count) {
    const group = once(gathered, name);
    group.count += 1;
    if (group.count === Number(count)) {
      gathered.delete(name);
      group.happens();
    }
    await group.happened;
    response.end("together");
  },
  // Never an answer, but to those who ask whether it is awaited.
  wait(_, _response, name) {
    once(seen, `wait/${name}`).happens();
  },
  async arrived(_, response, name) {
    await once(seen, `wait/${name}`).happened;
    seen.delete(`wait/${name}`);
    response.end("arrived");
  },
  // A head and a beginning, and never an end.
  begin(_, response) {
    response.writeHead(200, { "content-type": "text/plain" });
    response.write("beginning");
  },
  reset(request, response, code) {
    breakOff(request, response, Number(code));
  },
  // The connection's goodbye, which leaves this request out.
  abrupt(request, response) {
    const { session, id } = response.stream;
    session.goaway(http2.constants.NGHTTP2_NO_ERROR, id - 2);
  },
  broken(request, response, code) {
    response.writeHead(200, { "content-type": "text/plain" });
    response.write("beginning", () => breakOff(request, response, Number(code)));
  },
  // All of an answer, and no word that it is; the connection takes no more.
  unended(request, response) {
    response.writeHead(200, { "content-length": 2, "content-type": "text/plain" });
    response.write("ok", () => response.stream?.session.close());
  },
  // The connection's last answer.
  goaway(request, response) {
    const session = response.stream?.session;
    if (session) {
      response.on("close", () => session.destroyed || session.close());
    } else {
      response.setHeader("connection", "close");
    }
    response.end("the last");
  },
};

function serve(request, response) {
  const [, name, ...rest] = request.url.split("?")[0].split("/");
  const te = request.headers.te ? ["te", request.headers.te] : [];
  say("request", request.method, request.url, request.httpVersion, ...te);
  const told = response.stream ?? response;
  told.on("close", () => say("closed", request.url, response.stream?.rstCode ?? "-"));
  // Two runs a second apart are to be alike.
  response.sendDate = false;
  request.on("error", () => {});
  response.on("error", () => {});
  const route = routes[name];
  if (!route) {
    response.writeHead(404);
    return response.end("nothing here");
  }
  // Not everyone reads: what is left of a body must not hold up the connection.
  Promise.resolve(route(request, response, ...rest)).catch((error) => say("error", error));
}

const tls = chain && { cert: readFileSync(chain), key: readFileSync(key) };
// Bodies that are on their way count as memory, in megabytes; httpx wants to be told how many streams there may be.
const roomy = { maxSessionMemory: 1000, settings: { maxConcurrentStreams: 250 } };
const makers = {
  h2: () => http2.createSecureServer({ ...roomy, ...tls }, serve),
  both: () => http2.createSecureServer({ ...roomy, ...tls, allowHTTP1: true }, serve),
  neither: () => https.createServer({ ...tls, ALPNProtocols: ["acme-tls/1"] }, serve),
  "http/1.1": () => https.createServer(tls, serve),
  clear: () => http2.createServer(roomy, serve),
};
const server = makers[kind]();
server.on(kind === "clear" || kind === "h2" ? "session" : "secureConnection", () => say("connection"));
server.on("tlsClientError", () => say("refused"));
server.on("session", (session) => session.on("close", () => say("session closed")));
server.listen(0, "127.0.0.1", () => say(server.address().port));
