// What a Relay application does with a connection: paging with `@connection` and `@refetchable`, and refetching by `node`.
declare function graphql(text: TemplateStringsArray): unknown;

export const query = graphql`
  query PeopleQuery($first: Int!) {
    ...People_list @arguments(first: $first)
  }
`;

export const list = graphql`
  fragment People_list on Query
  @argumentDefinitions(first: { type: "Int!" }, after: { type: "String" })
  @refetchable(queryName: "PeoplePaginationQuery") {
    users(first: $first, after: $after, filter: { status: [ACTIVE] }) @connection(key: "People_users") {
      edges {
        node {
          ...People_person
        }
      }
      totalCount
    }
  }
`;

export const person = graphql`
  fragment People_person on User @refetchable(queryName: "PeoplePersonQuery") {
    id
    displayName
    email @required(action: NONE)
    createdAt
    groups(first: 5) {
      nodes {
        name
      }
    }
  }
`;
