// Between the contract's columns and rules that read like a table. The contract is wit/policy.wit; names are in camel case here.
//
// One table answers both questions: which rows a list may contain (`filter`, which the server runs in its database), and what is
// shown of each (`verdicts`, computed from the columns). A column that is missing, or a value that is not there, makes the terms over
// it false, negated or not; a row that no rule admits is denied. To add a term, write the test's name as the server's register has it,
// and how a row answers it.

/**
 * @typedef {{ name: string, dictionary: string[], ends: Uint32Array, items: Uint32Array }} Column
 * @typedef {{ name: string, ends: Uint32Array, items: BigInt64Array }} NumberColumn
 * @typedef {{ kind: string, len: number, columns: Column[], numbers: NumberColumn[] }} Rows
 * @typedef {{ name: string, value: string }} Fact
 * @typedef {{
 *   kind: string, groups: Uint32Array, manages: Uint32Array, grants: { role: number, within: number }[],
 *   permissions: string[], facts: Fact[],
 * }} Subject
 * @typedef {{
 *   action: string, nowMs: bigint, settings: string, subject: Subject, groups: Rows, roles: Rows, facts: Fact[],
 * }} Context
 * @typedef {{ allow: boolean, withheld: string[], reason: string, notes: Fact[] }} Verdict
 * @typedef {{ table: Verdict[], rows: Uint32Array }} Verdicts
 * @typedef {{ negate: boolean, test: { name: string, groups: Uint32Array, values: string[] } }} WireTerm
 * @typedef {{ anyOf: WireTerm[][], exact: boolean, searchable: string[], reason: string, notes: Fact[] }} RowFilter
 * @typedef {{
 *   name: string, version: string, summary: string, needs: string[], decides: string[], otherwise: string, fields: string[],
 *   notes: Fact[],
 * }} Manifest
 * @typedef {{ fields: string[], after?: Rows, parties: { name: string, rows: Rows }[] }} Change
 * @typedef {{
 *   describe: () => Manifest,
 *   validateSettings: (settings: string) => void,
 *   scope: (context: Context, kind: string) => RowFilter,
 *   check: (context: Context, rows: Rows, change?: Change) => Verdicts,
 * }} Decide
 */

/**
 * What a row answers: yes, no, or undefined where nobody can know.
 *
 * @typedef {(row: number) => boolean | undefined} Answer
 */

/** "Unassigned" in a column. */
export const UNASSIGNED = 0xffffffff;

const NO_RULE = "no rule opens this to you";

/** Who may read which rows of one kind. */
export class Table {
  #kind;
  #fields;
  /** @type {{ reason: string, terms: Term[], withheld: string[] }[]} */
  #rules = [];

  /**
   * Without rules, nothing may be read.
   *
   * @param {string} kind
   * @param {string[]} fields the manifest's
   */
  constructor(kind, fields) {
    this.#kind = kind;
    this.#fields = fields;
  }

  /**
   * Admits the rows that pass every term, all rows if there is none, without the fields named.
   *
   * @param {string} reason for people
   * @param {Term[]} terms
   * @param {{ without?: string[] }} [options] bare names: `email`, `attributes.*`
   */
  allow(reason, terms, { without = [] } = {}) {
    this.#rules.push({ reason, terms, withheld: without });
    return this;
  }

  /**
   * The answer to `scope`. Only fields that no rule withholds are searchable: whoever can search a field can find out its value.
   *
   * @param {string} kind
   * @returns {RowFilter}
   */
  filter(kind) {
    const rules = kind === this.#kind ? this.#effective() : [];
    const reasons = rules.map((rule) => rule.reason);
    return {
      anyOf: rules.some((rule) => rule.terms.length === 0) ? [[]] : rules.map((rule) => rule.terms.map((term) => term.wire)),
      exact: true,
      searchable: rules.length === 0 ? [] : this.#searchable(rules.flatMap((rule) => rule.withheld)),
      reason: reasons.length === 0 ? NO_RULE : [...new Set(reasons)].join("; "),
      notes: [],
    };
  }

  /**
   * The answer to `check`.
   *
   * @param {Rows} rows
   * @returns {Verdicts}
   */
  verdicts(rows) {
    const rules = rows.kind === this.#kind ? this.#effective() : [];
    const tests = rules.map((rule) => rule.terms.map((term) => term.over(rows)));
    const answer = new Uint32Array(rows.len);
    for (let row = 0; row < rows.len; row += 1) {
      // The first entry of the table denies; -1 becomes that.
      answer[row] = tests.findIndex((terms) => terms.every((passes) => passes(row))) + 1;
    }
    const allowed = rules.map(({ reason, withheld }) => ({ allow: true, withheld, reason, notes: [] }));
    return { table: [{ allow: false, withheld: [], reason: NO_RULE, notes: [] }, ...allowed], rows: answer };
  }

  /** The rules that can decide a row: none that nobody passes, none below one that everybody passes. */
  #effective() {
    const possible = this.#rules.filter((rule) => !rule.terms.some((term) => term.impossible));
    const last = possible.findIndex((rule) => rule.terms.length === 0);
    return last === -1 ? possible : possible.slice(0, last + 1);
  }

  /** @param {string[]} withheld */
  #searchable(withheld) {
    if (withheld.length === 0) return ["*"];
    const prefix = `${this.#kind}.`;
    const known = this.#fields.filter((field) => field.startsWith(prefix)).map((field) => field.slice(prefix.length));
    // `attributes.*` is one name for all of them, so withholding any attribute takes it away.
    const hidden = (/** @type {string} */ field) =>
      withheld.includes(field) || (field === "attributes.*" && withheld.some((name) => name.startsWith("attributes.")));
    return known.filter((field) => !hidden(field));
  }
}

/** One test of a row, or its opposite, for both sides: as it goes to the server, and as the columns answer it. */
export class Term {
  /**
   * @param {string} name the register's
   * @param {{ groups?: Iterable<number>, values?: string[], impossible?: boolean }} given impossible: no row can pass
   * @param {(rows: Rows) => Answer} read looks columns up once, so that a row costs little
   * @param {boolean} [negate]
   */
  constructor(name, given, read, negate = false) {
    this.given = given;
    this.read = read;
    /** @type {WireTerm} */
    this.wire = { negate, test: { name, groups: Uint32Array.from(given.groups ?? []), values: given.values ?? [] } };
    this.impossible = !negate && given.impossible === true;
  }

  /**
   * Whether a row passes; what nobody can know never does.
   *
   * @param {Rows} rows
   * @returns {(row: number) => boolean}
   */
  over(rows) {
    const wanted = !this.wire.negate;
    const answer = this.read(rows);
    return (row) => answer(row) === wanted;
  }
}

/**
 * A test without arguments: `self`, `created-by-me`. Needs the column of the same name.
 *
 * @param {string} test
 */
export const is = (test) => new Term(test, {}, flag(test));

/**
 * Shares a direct group with the subject. Needs `rows.shares-group`.
 *
 * @param {Ask} ask
 */
export const sharesGroup = (ask) => ofGroups("in-group", ask.groups, "shares-group");

/**
 * In or below a direct group of the subject. Needs `rows.below-my-groups`.
 *
 * @param {Ask} ask
 */
export const belowMyGroups = (ask) => ofGroups("under-group", ask.groups, "below-my-groups");

/**
 * In or below a group that the subject manages. Needs `rows.managed-by-me`.
 *
 * @param {Ask} ask
 */
export const managed = (ask) => ofGroups("under-group", ask.manages, "managed-by-me");

/**
 * Has one of these statuses. Needs `rows.status`.
 *
 * @param {string[]} statuses
 */
export const status = (...statuses) =>
  new Term("status", { values: statuses, impossible: statuses.length === 0 }, text("status", statuses));

/**
 * Has one of `values`, folded, of a custom attribute. Needs `rows.attributes.NAME`.
 *
 * @param {string} name
 * @param {string[]} values
 */
export const attribute = (name, values) =>
  new Term("attribute", { values: [name, ...values], impossible: values.length === 0 }, texts(`attributes.${name}`, values));

/**
 * The opposite; still false where nobody can know.
 *
 * @param {Term} term
 */
export const not = (term) => new Term(term.wire.test.name, term.given, term.read, !term.wire.negate);

/** Who asks for what. */
export class Ask {
  /** @param {Context} context */
  constructor(context) {
    this.context = context;
  }

  /** The subject's direct groups, as positions in `context.groups`. */
  get groups() {
    return this.context.subject.groups;
  }

  /** The groups that the subject manages. */
  get manages() {
    return this.context.subject.manages;
  }

  /**
   * The subject's facts of that name, such as `attributes.project`.
   *
   * @param {string} name
   */
  facts(name) {
    return this.context.subject.facts.filter((fact) => fact.name === name).map((fact) => fact.value);
  }
}

/**
 * For a policy that has no settings: accepts none. Settings are refused by throwing every error at once.
 *
 * @param {string} settings
 */
export function noSettings(settings) {
  if (!["", "{}"].includes(settings.trim())) throw ["this policy has no settings; leave them empty"];
}

/**
 * A test of groups that a flag column of the row answers already.
 *
 * @param {string} test
 * @param {Uint32Array} groups
 * @param {string} column
 */
const ofGroups = (test, groups, column) => new Term(test, { groups, impossible: groups.length === 0 }, flag(column));

/** @type {Answer} */
const nobodyKnows = () => undefined;

/**
 * @param {Rows} rows
 * @param {string} name
 */
const find = (rows, name) => rows.columns.find((column) => column.name === name);

/**
 * One yes or no a row.
 *
 * @param {string} name
 * @returns {(rows: Rows) => Answer}
 */
const flag = (name) => (rows) => {
  const column = find(rows, name);
  if (column === undefined) return nobodyKnows;
  const { items } = column;
  return (row) => (items[row] === 1 ? true : items[row] === 0 ? false : undefined);
};

/**
 * At most one text a row.
 *
 * @param {string} name
 * @param {string[]} values
 * @returns {(rows: Rows) => Answer}
 */
const text = (name, values) => (rows) => {
  const column = find(rows, name);
  if (column === undefined) return nobodyKnows;
  const hits = column.dictionary.map((entry) => values.includes(entry));
  // Unassigned is a position outside the dictionary.
  return (row) => hits[column.items[row]];
};

/**
 * Any number of texts a row.
 *
 * @param {string} name
 * @param {string[]} values
 * @returns {(rows: Rows) => Answer}
 */
const texts = (name, values) => (rows) => {
  const column = find(rows, name);
  if (column === undefined) return nobodyKnows;
  const hits = column.dictionary.map((entry) => values.includes(entry));
  const { ends, items } = column;
  return (row) => {
    // Without ends, each row has exactly one item.
    const [start, end] = ends.length === 0 ? [row, row + 1] : [row === 0 ? 0 : ends[row - 1], ends[row]];
    const own = items.subarray(start, end).filter((item) => item !== UNASSIGNED);
    return own.length === 0 ? undefined : own.some((item) => hits[item]);
  };
};
