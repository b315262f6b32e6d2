// Compares schema.graphql with what a running server says of itself.
//
// node introspect.mjs URL TOKEN
import { readFileSync } from "node:fs";
import { buildClientSchema, buildSchema, getIntrospectionQuery, lexicographicSortSchema, printSchema } from "graphql";

const [url, token] = process.argv.slice(2);
const query = getIntrospectionQuery({ specifiedByUrl: true, inputValueDeprecation: true, oneOf: true });
const response = await fetch(url, {
  method: "POST",
  headers: {
    accept: "application/graphql-response+json",
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
  },
  body: JSON.stringify({ query }),
});
const { data, errors } = await response.json();
if (errors) {
  console.error(`the server does not answer the introspection query: ${JSON.stringify(errors)}`);
  process.exit(1);
}

const lines = (schema) => printSchema(lexicographicSortSchema(schema)).split("\n");
const said = lines(buildClientSchema(data));
const written = lines(buildSchema(readFileSync(new URL("../../schema.graphql", import.meta.url), "utf8")));
const at = written.findIndex((line, index) => line !== said[index]);
if (at >= 0 || said.length !== written.length) {
  console.error(`schema.graphql and the server differ:\n  file:   ${written[at]}\n  server: ${said[at]}`);
  process.exit(1);
}
console.log(`the running server's schema is that of schema.graphql (${written.length} lines)`);
