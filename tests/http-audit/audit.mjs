// Audits a running server against the draft of GraphQL over HTTP, with every audit of the npm package `graphql-http`.
//
// node audit.mjs URL [TOKEN]
//
// Prints one line for each audit that fails, then `N passed, M failed`. Exits with 0 only if all of EXPECTED passed.

import { auditServer } from "graphql-http";

/** As many audits as version 1.23 has: fewer would mean that some were not run. */
const EXPECTED = 61;

const [url, token] = process.argv.slice(2);
if (!url) {
  console.error("usage: node audit.mjs URL [TOKEN]");
  process.exit(2);
}

/** Sends the token, if there is one, with every request of the audits. */
function fetchAs(input, init = {}) {
  const headers = token ? { ...init.headers, authorization: `Bearer ${token}` } : init.headers;
  return fetch(input, { ...init, headers });
}

const results = await auditServer({ url, fetchFn: fetchAs });
const failed = results.filter((result) => result.status !== "ok");
for (const { id, name, status, reason } of failed) {
  console.log(`${status} ${id} ${name}: ${reason}`);
}
const passed = results.length - failed.length;
console.log(`${passed} passed, ${failed.length} failed`);
process.exit(passed === EXPECTED && failed.length === 0 ? 0 : 1);
