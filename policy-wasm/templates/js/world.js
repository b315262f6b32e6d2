// A pretend workspace of people and groups, so that a policy's tests are ordinary unit tests.
//
// Only the columns that the manifest needs are filled, as in the server, so a forgotten need fails a test. Scopes are judged by what is
// in this world, never by the columns. A column or a test that the world does not know is an error: add it to `COLUMNS` or `TESTS`.

import { UNASSIGNED } from "./kit.js";

/**
 * @typedef {{ name: string, status: string, groups: string[], manages: string[], attributes: Record<string, string> }} Person
 */

export class World {
  /** The key of each group, and that of the group above. @type {Map<string, string | undefined>} */
  #groups = new Map();
  /** @type {Map<string, Person>} */
  #people = new Map();

  /**
   * A group: `key`, or `above/key` below a group that is already there. Elsewhere it is named by its key alone.
   *
   * @param {string} path
   */
  group(path) {
    const [key, above] = path.split("/").reverse();
    if (above !== undefined && !this.#groups.has(above)) throw new Error(`there is no group \`${above}\``);
    this.#groups.set(key, above);
    return this;
  }

  /**
   * Somebody of the workspace. Who manages a group is also a member of it.
   *
   * @param {string} name
   * @param {{ memberOf?: string[], manages?: string[], status?: string, attributes?: Record<string, string> }} [facts]
   */
  person(name, { memberOf = [], manages = [], status = "active", attributes = {} } = {}) {
    const unknown = [...memberOf, ...manages].find((key) => !this.#groups.has(key));
    if (unknown !== undefined) throw new Error(`there is no group \`${unknown}\``);
    this.#people.set(name, { name, status, groups: [...new Set([...memberOf, ...manages])], manages, attributes });
    return this;
  }

  /** The names of those whom the policy lets somebody see. */
  visible(decide, caller) {
    return this.#everybody((name) => this.verdict(decide, caller, name).allow);
  }

  /** What the policy says when `caller` looks at `name`. */
  verdict(decide, caller, name) {
    const row = this.#everybody().indexOf(name);
    if (row === -1) throw new Error(`there is no \`${name}\``);
    const { table, rows } = decide.check(this.#context(caller), this.#rows(decide, caller), undefined);
    if (rows.length !== this.#people.size) throw new Error(`${rows.length} verdicts for ${this.#people.size} rows`);
    return table[rows[row]];
  }

  /** Where `scope` and `check` contradict each other, in words: the server would withhold such a row from everybody. */
  disagreements(decide) {
    return this.#everybody().flatMap((caller) => {
      const filter = decide.scope(this.#context(caller), "user");
      return this.#everybody().flatMap((name) => {
        const { allow, withheld, reason } = this.verdict(decide, caller, name);
        const listed = filter.anyOf.some((terms) => terms.every((term) => this.#passes(term, caller, name)));
        const found = allow === listed ? [] : [`${caller} on ${name}: scope ${listed}, check ${allow} (${reason})`];
        const open = withheld.filter((field) => allow && ["*", field].some((known) => filter.searchable.includes(known)));
        return [...found, ...open.map((field) => `${caller} on ${name}: \`${field}\` is withheld but searchable`)];
      });
    });
  }

  #everybody(wanted = (_name) => true) {
    return [...this.#people.keys()].filter(wanted);
  }

  #person(name) {
    const person = this.#people.get(name);
    if (person === undefined) throw new Error(`there is no \`${name}\``);
    return person;
  }

  #context(caller) {
    const { status, groups, manages, attributes } = this.#person(caller);
    const keys = [...this.#groups.keys()];
    const positions = (of) => Uint32Array.from(of, (key) => keys.indexOf(key));
    const parents = [...this.#groups.values()].map((above) => (above === undefined ? UNASSIGNED : keys.indexOf(above)));
    const facts = { id: caller, via: "graphql", status, ...prefixed("attributes.", attributes) };
    return {
      action: "user.read",
      nowMs: 1_800_000_000_000n,
      settings: "",
      subject: {
        kind: "user",
        groups: positions(groups),
        manages: positions(manages),
        grants: [],
        permissions: [],
        facts: Object.entries(facts).map(([name, value]) => ({ name, value })),
      },
      groups: { kind: "group", len: keys.length, columns: [column("parent", parents)], numbers: [] },
      roles: { kind: "role", len: 0, columns: [], numbers: [] },
      facts: [],
    };
  }

  #rows(decide, caller) {
    const needs = decide.describe().needs.filter((need) => need.startsWith("rows.")).map((need) => need.slice("rows.".length));
    const people = this.#everybody().map((name) => this.#person(name));
    const columns = needs.map((need) => {
      const [, attribute] = need.split("attributes.");
      if (attribute !== undefined) return texts(need, people.map((person) => [person.attributes[attribute] ?? []].flat()));
      const known = COLUMNS[need];
      if (known === undefined) throw new Error(`the world does not know the column \`rows.${need}\`; add it to COLUMNS in world.js`);
      return known(need, people, this.#person(caller), this.#under);
    });
    return { kind: "user", len: people.length, columns, numbers: [] };
  }

  /** Whether a group is, or is below, one of those. */
  #under = (key, groups) => key !== undefined && (groups.includes(key) || this.#under(this.#groups.get(key), groups));

  #passes({ negate, test }, caller, name) {
    const known = TESTS[test.name];
    if (known === undefined) throw new Error(`the world does not know the test \`${test.name}\`; add it to TESTS in world.js`);
    const keys = [...this.#groups.keys()];
    const groups = [...test.groups].map((position) => keys[position]);
    const holds = known(this.#person(name), this.#person(caller), groups, test.values, this.#under);
    return holds !== undefined && holds !== negate;
  }
}

/** How each column of people is filled, as the server's register describes it. */
const COLUMNS = {
  self: (name, people, caller) => flags(name, people, (person) => person === caller),
  status: (name, people) => text(name, people.map((person) => person.status)),
  "shares-group": (name, people, caller) => flags(name, people, ({ groups }) => groups.some((key) => caller.groups.includes(key))),
  "below-my-groups": (name, people, caller, under) => flags(name, people, ({ groups }) => groups.some((key) => under(key, caller.groups))),
  "managed-by-me": (name, people, caller, under) => flags(name, people, ({ groups }) => groups.some((key) => under(key, caller.manages))),
};

/** What each test says of somebody; undefined where nobody can know. */
const TESTS = {
  self: (person, caller) => person === caller,
  status: (person, _caller, _groups, values) => values.includes(person.status),
  "in-group": (person, _caller, groups) => person.groups.some((key) => groups.includes(key)),
  "under-group": (person, _caller, groups, _values, under) => person.groups.some((key) => under(key, groups)),
  attribute: ({ attributes }, _caller, _groups, [name, ...values]) =>
    attributes[name] === undefined ? undefined : values.includes(attributes[name]),
};

const column = (name, items, dictionary = [], ends = []) => ({
  name,
  dictionary,
  ends: Uint32Array.from(ends),
  items: Uint32Array.from(items),
});

const flags = (name, people, holds) => column(name, people.map((person) => (holds(person) ? 1 : 0)));

/** One text each. */
const text = (name, values) => {
  const dictionary = [...new Set(values)];
  return column(name, values.map((value) => dictionary.indexOf(value)), dictionary);
};

/** Any number of texts each. */
const texts = (name, lists) => {
  const values = lists.flat();
  const dictionary = [...new Set(values)];
  let end = 0;
  const ends = lists.map((list) => (end += list.length));
  return column(name, values.map((value) => dictionary.indexOf(value)), dictionary, ends);
};

const prefixed = (prefix, facts) => Object.fromEntries(Object.entries(facts).map(([name, value]) => [`${prefix}${name}`, value]));
