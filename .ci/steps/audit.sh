#!/usr/bin/env bash
# A running server passes every audit of GraphQL over HTTP.
set -euo pipefail

(cd tests/http-audit && npm ci --no-audit --no-fund --loglevel=error)
. .ci/steps/serve.bash
serve
(cd tests/http-audit && node audit.mjs "$GRAPHQL_URL" "$TOKEN")
