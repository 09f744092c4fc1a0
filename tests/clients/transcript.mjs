// What the Node clients share: their arguments, the bodies that they send, and the transcript that they print.

import { createHash } from "node:crypto";

export const [base, text] = process.argv.slice(2);
export const piece = Buffer.from("0123456789abcde\n".repeat(16384));

export async function* pieces() {
  yield piece;
  yield piece;
}

// One line a step: what a client got that the proxy could have changed.
export function note(step, status, body = "", fields = []) {
  const digest = createHash("sha256").update(body).digest("hex");
  console.log(step, status, body.length, digest, JSON.stringify(fields));
}

let streams = 0;

// The path of a stream of events, and its name.
export function newStream() {
  streams += 1;
  return [`/events/${streams}`, streams];
}
