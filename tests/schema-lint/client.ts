// Uses what graphql-codegen generated as a front end would; compiling it is the test.
import { PeopleDocument, PersonFragmentDoc, type PeopleQuery, type PeopleQueryVariables } from "./generated/typescript/graphql";
import { useFragment } from "./generated/typescript/fragment-masking";

export const variables: PeopleQueryVariables = {
  first: 10,
  filter: { or: [{ search: "ada" }, { status: ["ACTIVE"] }] },
  orderBy: { field: "DISPLAY_NAME" },
};

export const document: { readonly kind: "Document" } = PeopleDocument;

/** Withheld is null, and says so: nothing that a policy governs is typed as always there. */
export function addresses(data: PeopleQuery): string[] {
  const edges = data.users?.edges ?? [];
  return edges.map(({ node }) => {
    const person = useFragment(PersonFragmentDoc, node);
    // @ts-expect-error an e-mail address may be withheld
    const certain: string = person.email;
    return person.email ?? (person.withheldFields.includes("email") ? "withheld" : certain);
  });
}
