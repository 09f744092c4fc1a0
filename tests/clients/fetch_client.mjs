// Node's fetch, told of the proxy by the environment; arguments: a base URL, a text to send.

import { EnvHttpProxyAgent, fetch as undiciFetch, setGlobalDispatcher } from "undici";

import { play } from "./fetch_steps.mjs";

setGlobalDispatcher(new EnvHttpProxyAgent());
// The built-in fetch takes the installed dispatcher where the two speak the same interface.
const [major] = process.versions.undici.split(".");
await play(Number(major) <= 6 ? globalThis.fetch : undiciFetch);
process.exit(0);
