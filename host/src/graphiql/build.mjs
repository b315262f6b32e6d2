// See build.sh.

import { build } from "esbuild";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const { metafile } = await build({
  entryPoints: { graphiql: "page.jsx" },
  outdir: ".",
  bundle: true,
  minify: true,
  metafile: true,
  format: "iife",
  target: "es2022",
  jsx: "automatic",
  loader: { ".graphql": "text" },
  // esbuild would keep comments of licences in the code; they are all in licences.txt.
  legalComments: "none",
  define: { "process.env.NODE_ENV": '"production"' },
});

// GraphiQL brings half a megabyte of fonts; the page is set in those of the system.
const css = readFileSync("graphiql.css", "utf8").replace(/@font-face\{[^}]*\}/g, "");
writeFileSync("graphiql.css", css);

const packages = new Set(
  Object.keys(metafile.inputs)
    .map((path) => path.match(/^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//)?.[1])
    .filter(Boolean),
);
const byText = new Map();
for (const folder of [...packages].sort()) {
  const { name, version, license, author } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((file) => /^licen[sc]e/i.test(file));
  const text = file ? readFileSync(join(folder, file), "utf8").trim() : `${license}, by ${author?.name ?? author ?? "its authors"}; without a text of its own.`;
  byText.set(text, [...(byText.get(text) ?? []), `${name} ${version} (${license})`]);
}
const licences = [...byText].map(([text, names]) => `${[...new Set(names)].join("\n")}\n\n${text}\n`);
writeFileSync("licences.txt", `graphiql.js and graphiql.css are made of these packages.\n\n${licences.join(`\n${"-".repeat(80)}\n\n`)}`);
