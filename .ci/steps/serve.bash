# To be sourced. `serve` starts the demo on a free port in a folder of its own, and sets GRAPHQL_URL, TOKEN (an administrator's) and DEMO
# (the file in that folder which has the line that the demo printed).
# Server and folder go when the shell that called it ends.
serve() {
  local folder
  cargo build --quiet --locked --bin bailiwick
  folder=$(mktemp -d)
  target/debug/bailiwick demo --listen 127.0.0.1:0 --data "$folder/data" --json >"$folder/line" 2>"$folder/log" &
  # shellcheck disable=SC2064 # the values of now
  trap "kill $! 2>/dev/null || true; wait $! 2>/dev/null || true; rm -rf '$folder'" EXIT
  for _ in $(seq 600); do
    if [[ -s $folder/line ]]; then
      DEMO=$folder/line
      GRAPHQL_URL=$(node -p 'JSON.parse(fs.readFileSync(0)).graphql' <"$folder/line")
      TOKEN=$(node -p '
        const people = JSON.parse(fs.readFileSync(0)).workspaces[0].people;
        people.find((person) => person.roles.includes("administrator")).token' <"$folder/line")
      return
    fi
    kill -0 $! 2>/dev/null || break
    sleep 0.1
  done
  echo "serve: the server did not start:" >&2
  cat "$folder/log" >&2
  return 1
}
