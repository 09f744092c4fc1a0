// undici with a dispatcher that names the proxy; arguments: a base URL, a text to send.

import { Agent, ProxyAgent, fetch } from "undici";

import { play } from "./fetch_steps.mjs";

const proxy = process.env.HTTP_PROXY;
const dispatcher = proxy ? new ProxyAgent(proxy) : new Agent();
await play((url, options = {}) => fetch(url, { ...options, dispatcher }));
process.exit(0);
