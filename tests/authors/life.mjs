// The life of a policy in a running server: it is uploaded, activated, asked, and rolled back.
//
//   node life.mjs DEMO WASM    DEMO: the file with the line that `bailiwick demo --json` printed
//
// The policy is one of the templates, which says the same in every language.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

const [demoFile, wasmFile] = process.argv.slice(2);
const demo = JSON.parse(await readFile(demoFile, "utf8"));
const people = demo.workspaces.find((workspace) => workspace.key === "acme").people;
const token = (email) => people.find((person) => person.email.startsWith(email)).token;
const [administrator, member] = [token("amara.okafor"), token("lea.moreau")];

/** The answer's body, which has that status. */
async function send(method, path, status, body, type = "application/json") {
  const headers = { authorization: `Bearer ${administrator}`, "content-type": type };
  const response = await fetch(`${demo.url}/v1/policies${path}`, { method, headers, body });
  const text = await response.text();
  assert.equal(response.status, status, `${method} ${path}: ${text}`);
  return JSON.parse(text);
}

/** Whom a member sees, by display name. */
async function seen() {
  const query = "{ users(first: 100) { totalCount nodes { displayName withheldFields } } }";
  const headers = { authorization: `Bearer ${member}`, "content-type": "application/json" };
  const response = await fetch(demo.graphql, { method: "POST", headers, body: JSON.stringify({ query }) });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  assert.equal(data.users.nodes.length, data.users.totalCount);
  return new Map(data.users.nodes.map(({ displayName, withheldFields }) => [displayName, withheldFields]));
}

const before = await seen();
const began = performance.now();
const upload = await send("PUT", "", 201, await readFile(wasmFile), "application/wasm");
assert.equal(upload.status, "validated");
const { active } = await send("GET", "", 200);
await send("POST", `/${upload.id}/activate`, 200, JSON.stringify({ expected: active.id }));

const under = await seen();
assert.equal(under.size, 39, "everybody who is active");
assert.ok(before.size < under.size);
const withheld = ["email", "phone"].map((field) => [...under.values()].filter((fields) => fields.includes(field)).length);
// Herself she sees whole; of the others of her group everything but the phone.
const colleagues = 38 - withheld[0];
assert.deepEqual(under.get("Léa Moreau").filter((field) => ["email", "phone"].includes(field)), []);
assert.equal(withheld[1], 38);
assert.ok(colleagues > 0 && colleagues < 38, `${colleagues} share her group`);

await send("POST", "/rollback", 200, "{}");
assert.deepEqual(await seen(), before);
console.log(`uploaded, active and rolled back in ${Math.round(performance.now() - began)} ms`);
