#!/usr/bin/env bash
# schema.graphql is the running server's, passes the linter, and compiles with the client generators that people use.
set -euo pipefail
cd tests/schema-lint

npm ci --no-audit --no-fund --loglevel=error
npm run --silent lint
npm run --silent typescript
npm run --silent relay
npm run --silent python

cd ../..
. .ci/steps/serve.bash
serve
node tests/schema-lint/introspect.mjs "$GRAPHQL_URL" "$TOKEN"
