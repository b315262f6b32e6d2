// GraphiQL with two things of our own above it: whom to ask as, and queries to begin with.

import "graphiql/graphiql.css";
import "./page.css";

import { useEditorContext, useExecutionContext } from "@graphiql/react";
import { GraphiQL } from "graphiql";
import { useEffect, useRef, useState } from "react";
import { createRoot } from "react-dom/client";

import people from "./examples/people.graphql";
import rights from "./examples/rights.graphql";
import roles from "./examples/roles.graphql";
import search from "./examples/search.graphql";
import tree from "./examples/tree.graphql";

/** Each begins with its name as a comment. */
const examples = [people, tree, search, rights, roles].map((query) => ({ name: query.match(/^# (.*)/)[1], query }));

/** The workspaces of the demo with their people; none on servers that are no demo. */
async function demoWorkspaces() {
  const response = await fetch("/demo/people");
  return response.ok ? (await response.json()).workspaces : [];
}

async function ask(token, operation, headers) {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: {
      accept: "application/graphql-response+json",
      "content-type": "application/json",
      "bailiwick-explain": "1",
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...headers,
    },
    body: JSON.stringify(operation),
  });
  return response.json();
}

/** Hands GraphiQL's own controls to the bar above it, and asks whenever there is somebody else to ask as. Shows nothing. */
function Bridge({ controls, asker }) {
  const { run } = useExecutionContext({ nonNull: true });
  const { queryEditor, responseEditor } = useEditorContext({ nonNull: true });
  controls.current = { run, queryEditor };
  const ready = queryEditor && responseEditor;
  useEffect(() => {
    if (ready && asker !== undefined) {
      controls.current.run();
    }
  }, [asker, controls, ready]);
  return null;
}

function Bar({ workspaces, asked, onAsk, onExample }) {
  const { person } = asked;
  const what = person && [person.roles?.join(", "), person.groups?.length ? `in ${person.groups.join(", ")}` : "in no group"];
  return (
    <header className="bar">
      <strong>Bailiwick</strong>
      {workspaces.length > 0 && (
        <label className="ask">
          Ask as
          <select value={asked.key} onChange={(event) => onAsk(event.target.value)}>
            {workspaces.map((workspace) => (
              <optgroup key={workspace.key} label={workspace.key}>
                {workspace.people.map((person) => (
                  <option key={person.token} value={person.token}>
                    {person.name} ({person.roles?.join(", ")})
                  </option>
                ))}
              </optgroup>
            ))}
            <option value="">nobody: no token</option>
          </select>
          <span className="about">{person ? `${asked.workspace}: ${what.filter(Boolean).join("; ")}` : "sees nothing"}</span>
        </label>
      )}
      <label>
        Example
        <select value="" onChange={(event) => onExample(examples[event.target.value].query)}>
          <option value="" disabled>
            choose a query
          </option>
          {examples.map(({ name }, index) => (
            <option key={name} value={index}>
              {name}
            </option>
          ))}
        </select>
      </label>
    </header>
  );
}

function Page({ workspaces }) {
  const [key, setKey] = useState(workspaces[0]?.people[0]?.token ?? "");
  const token = useRef(key);
  token.current = key;
  const controls = useRef({});
  const found = workspaces
    .flatMap((workspace) => workspace.people.map((person) => ({ key: person.token, workspace: workspace.key, person })))
    .find((asked) => asked.key === key);

  function load(query) {
    const { queryEditor, run } = controls.current;
    queryEditor.setValue(query);
    // The editor finds out a little later; every example has one operation, which needs no name.
    queryEditor.operationName = undefined;
    run();
  }

  return (
    <>
      <Bar workspaces={workspaces} asked={found ?? { key }} onAsk={setKey} onExample={load} />
      <GraphiQL
        fetcher={(operation, { headers } = {}) => ask(token.current, operation, headers)}
        defaultQuery={people}
        shouldPersistHeaders={false}
      >
        <GraphiQL.Logo>
          <></>
        </GraphiQL.Logo>
        <GraphiQL.Toolbar>
          {({ merge, prettify, copy }) => (
            <>
              {prettify}
              {merge}
              {copy}
              <Bridge controls={controls} asker={workspaces.length > 0 ? key : undefined} />
            </>
          )}
        </GraphiQL.Toolbar>
      </GraphiQL>
    </>
  );
}

const root = createRoot(document.getElementById("page"));
demoWorkspaces().then((workspaces) => root.render(<Page workspaces={workspaces} />));
