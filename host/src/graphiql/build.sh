#!/bin/sh
# Bundles page.jsx with GraphiQL and React into graphiql.js and graphiql.css, and their licences into licences.txt.
# The three are committed, so that nobody else needs Node. Needs Node 20; package-lock.json fixes every version.
set -eu
cd "$(dirname "$0")"
npm ci --ignore-scripts --no-audit --no-fund
node build.mjs
