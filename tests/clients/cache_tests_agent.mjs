// Loaded before the client of http-cache-tests: a connection a request, and through the proxy where one is named.
// Node's own agents keep connections, and a request that crosses an origin's close fails in some runs only.

import http from "node:http";
import https from "node:https";
import { bootstrap } from "global-agent";

http.globalAgent = new http.Agent({ keepAlive: false });
https.globalAgent = new https.Agent({ keepAlive: false });
if (process.env.GLOBAL_AGENT_HTTP_PROXY) bootstrap();
