// Who sees whom. `npm test` tries the rules, `npm run build` makes policy.wasm of them.

import { Ask, Table, is, managed, noSettings, sharesGroup, status } from "./kit.js";

/** The fields of people that this policy has thought about; whatever is not named here is withheld. */
const FIELDS = [
  "user.userName",
  "user.displayName",
  "user.givenName",
  "user.familyName",
  "user.title",
  "user.email",
  "user.phone",
  "user.status",
];

/**
 * Who sees whom, most generous rule first: the first rule that somebody passes decides their fields.
 *
 * @param {Ask} ask
 */
const people = (ask) =>
  new Table("user", FIELDS)
    .allow("this is you", [is("self")])
    .allow("you manage a group above", [managed(ask)])
    .allow("shares your group", [sharesGroup(ask), status("active")], { without: ["phone"] })
    .allow("works here", [status("active")], { without: ["email", "phone"] });

/**
 * The four questions of the contract, wit/policy.wit.
 *
 * @type {import("./kit.js").Decide}
 */
export const decide = {
  describe: () => ({
    name: "my-policy",
    version: "1.0.0",
    summary: "Everybody sees who works here; how to reach them is for colleagues and managers.",
    // The columns that the terms above read; each term's comment in kit.js says which.
    needs: ["rows.self", "rows.managed-by-me", "rows.shares-group", "rows.status"],
    // What this policy decides; every other action is left to the policy that ships with the server.
    decides: ["user.read"],
    otherwise: "standard",
    fields: FIELDS,
    notes: [],
  }),
  validateSettings: noSettings,
  scope: (context, kind) => people(new Ask(context)).filter(kind),
  check: (context, rows, change) => people(new Ask(context)).verdicts(rows),
};
