// The lint of schema.graphql: @graphql-eslint's `schema-all` and `schema-relay`. Every exception stands here with its reason.
import { fileURLToPath } from "node:url";
import graphql from "@graphql-eslint/eslint-plugin";

const SCHEMA = fileURLToPath(new URL("../../schema.graphql", import.meta.url));

// Fields that begin with the name of their type and keep that name.
const PREFIXED = new Set([
  "User.userName", // The word of SCIM (RFC 7643 section 4.1.1) and of everybody's existing clients.
  "Grant.grantedAt", // Past participles, not the type's name.
  "Grant.grantedBy",
]);

/** A rule with the reports that `allowed` accepts left out. */
function except(rule, allowed) {
  return {
    ...rule,
    create: (context) =>
      rule.create(
        Object.create(context, {
          report: { value: (problem) => allowed(problem) || context.report(problem) },
        }),
      ),
  };
}

const house = {
  rules: {
    "no-typename-prefix": except(graphql.rules["no-typename-prefix"], ({ data }) =>
      PREFIXED.has(`${data.typeName}.${data.fieldName}`),
    ),
  },
};

export default [
  {
    files: ["**/*.graphql"],
    plugins: { "@graphql-eslint": graphql, house },
    languageOptions: {
      parser: graphql.parser,
      parserOptions: { graphQLConfig: { schema: SCHEMA } },
    },
    rules: {
      ...graphql.configs["flat/schema-all"].rules,
      ...graphql.configs["flat/schema-relay"].rules,

      // Stricter than `schema-all`: everything is described. The arguments of the directives that the specification defines are
      // printed by the library, without descriptions.
      "@graphql-eslint/require-description": [
        "error",
        {
          types: true,
          rootField: true,
          DirectiveDefinition: true,
          EnumValueDefinition: true,
          FieldDefinition: true,
          InputValueDefinition: true,
          ignoredSelectors: ["DirectiveDefinition > InputValueDefinition"],
        },
      ],

      // The printer sorts by bytes and a test compares the file byte for byte. The rule sorts by locale, and differs
      // (`groupTree`, `groups`).
      "@graphql-eslint/alphabetize": "off",

      // Values, not things: they have no identity that a client could cache them by.
      "@graphql-eslint/strict-id-in-types": [
        "error",
        {
          exceptions: {
            suffixes: ["Connection", "Edge", "Payload"],
            types: [
              "ActionDecision",
              "Attribute", // Known by its name.
              "BulkItem",
              "CustomAttribute",
              "Decision", // A line of a log.
              "DecisionPage",
              "EffectivePermission",
              "ExplainedCall",
              "Explanation",
              "GroupMovePreview",
              "GroupTree",
              "GroupTreeNode",
              "PageInfo",
              "PermissionSource",
              "PolicyComparison", // Of one moment; its parts are sums.
              "PolicyComparisonAction",
              "PolicyComparisonExample",
              "PolicyComparisonFailure",
              "PolicyComparisonField",
              "PolicyFact",
              "PolicyHistoryPage",
              "PolicyReason",
              "PolicyShadowAction",
              "PolicyStep", // A line of a history.
              "PolicyTestDifference",
              "PolicyTestReport",
              "PolicyTests", // One of a workspace.
              "RecycleBinPage",
              "UserCodeSettings",
              "UserError",
              "VisibleTo",
              "WhoCanEntry",
              "WhoCanPage",
            ],
          },
        },
      ],

      // There are mutations; there are no subscriptions.
      "@graphql-eslint/no-root-type": ["error", { disallow: ["subscription"] }],

      // A payload answers with what was changed, read through the gate as it is after the write. What else a client wants to know
      // is a query of its own, with limits of its own.
      "@graphql-eslint/require-field-of-type-query-in-mutation-result": "off",

      // Lists that are bounded by themselves are plain lists: attribute values, withheld fields, decisions (as many as were asked
      // for), ancestors (at most 64), the whole tree. `nodes` is the usual short cut beside `edges`.
      "@graphql-eslint/relay-edge-types": ["error", { listTypeCanWrapOnlyEdgeType: false }],

      // Replaced by the same rule with the exceptions above.
      "@graphql-eslint/no-typename-prefix": "off",
      "house/no-typename-prefix": "error",
    },
  },
];
