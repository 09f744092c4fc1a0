// An echo server of ws, for one port that it prints; arguments: none, or a certificate chain and its key.

import { readFileSync } from "node:fs";
import { createServer as createClear } from "node:http";
import { createServer as createEncrypted } from "node:https";
import { WebSocketServer } from "ws";

const [chain, key] = process.argv.slice(2);
const server = chain
  ? createEncrypted({ cert: readFileSync(chain), key: readFileSync(key) })
  : createClear();
const sockets = new WebSocketServer({ server, perMessageDeflate: { threshold: 0 } });
sockets.on("connection", (socket) => {
  socket.on("message", (message, binary) => socket.send(message, { binary }));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
