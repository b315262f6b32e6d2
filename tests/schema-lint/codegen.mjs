// graphql-codegen's client preset, as its documentation sets it up, with strict scalars: an unknown scalar fails.
export default {
  schema: "../../schema.graphql",
  documents: "documents/*.graphql",
  generates: {
    "generated/typescript/": {
      preset: "client",
      config: { strictScalars: true, scalars: { DateTime: "string" }, enumsAsTypes: true, useTypeImports: true },
    },
  },
};
