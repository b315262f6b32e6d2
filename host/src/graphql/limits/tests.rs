use async_graphql::value;

use super::*;

fn admitted(document: &str) -> Admitted {
    admit(document, None, &Variables::default()).unwrap_or_else(|refusal| panic!("{refusal}: {document}"))
}

fn refused(document: &str, limit: &Limit, actual: u64) {
    match admit(document, None, &Variables::default()).unwrap_err() {
        Refusal::Limit { limit: found, actual: counted } => assert_eq!((found.name, counted), (limit.name, actual), "{document}"),
        other => panic!("{other}: {document}"),
    }
}

/// A limit at N and at N + 1, with a document for each count.
fn check(limit: &Limit, document: impl Fn(u64) -> String) {
    admitted(&document(limit.max));
    refused(&document(limit.max + 1), limit, limit.max + 1);
}

fn repeat(part: &str, times: u64) -> String {
    part.repeat(usize::try_from(times).unwrap())
}

/// `n` fields below one another.
fn nested(n: u64) -> String {
    format!("{{{}a{}}}", repeat("a{", n - 1), repeat("}", n - 1))
}

#[test]
fn every_limit_admits_n_and_refuses_n_plus_1() {
    check(&BYTES, |n| format!("{{a}}{}", repeat(" ", n - 3)));
    check(&TOKENS, |n| format!("{{f{{{}}}}}", repeat("a ", n - 5)));
    check(&BRACKETS, |n| format!("{{a(b:{}{})}}", repeat("[", n - 2), repeat("]", n - 2)));
    check(&NAMES, |n| format!("{{{}}}", repeat("a", n)));
    check(&NESTING, |n| {
        let fragments: String = (1..n).map(|i| format!("fragment F{i} on Q{{...F{}}}", i + 1)).collect();
        format!("{{...F1}}{fragments}fragment F{n} on Q{{a}}")
    });
    check(&SELECTIONS, |n| {
        // Ten spreads of nine spreads of 99 fields, and what is missing.
        let fields = repeat("a ", n - 1 - 10 * (1 + 9 * 100));
        format!("{{f{{{}{fields}}}}}fragment H on Q{{{}}}fragment T on Q{{{}}}", "...H ".repeat(10), "...T ".repeat(9), "a ".repeat(99))
    });
    check(&DEPTH, nested);
    check(&ROOT_FIELDS, |n| format!("{{{}...F}}fragment F on Q{{a ... on Q{{b}}}}", repeat("a ", n - 2)));
    check(&ALIASES, |n| format!("{{f{{{}...F ...F}}}}fragment F on Q{{x:a}}", repeat("x:a ", n - 2)));
    check(&DIRECTIVES, |n| format!("query($v:Int@d)@d{{f{{{}...F@d ...on Q@d{{a}}}}}}fragment F on Q@d{{a}}", repeat("a@d ", n - 5)));
    check(&SCHEMAS, |n| format!("{{{}}}", repeat("__schema{a} ", n)));
    check(&TYPES, |n| format!("{{{}}}", repeat("__type{a} ", n)));
    check(&INTROSPECTION_DEPTH, |n| format!("{{__schema{}}}", nested(n - 1)));
    check(&INTROSPECTION_LISTS, |n| format!("{{__schema{}{{a}}{}}}", repeat("{type{fields", n), repeat("}}", n)));
    // 1 for the list, 1 for `edges`, 100 for each of 499 fields in it, 1 for each field beside it.
    check(&COST, |n| format!("{{f(first:100){{edges{{{}}}{}}}}}", repeat("a ", 499), repeat("b ", n - 2 - 49_900)));
}

#[test]
fn a_fragment_bomb_costs_as_much_as_it_is_long() {
    // Each of 40 fragments spreads the next one twice: 2^40 fields in 801 bytes.
    let fragments: String = (0..39).map(|i| format!("fragment F{i} on Q{{...F{0} ...F{0}}}", i + 1)).collect();
    let bomb = format!("{{...F0}}{fragments}fragment F39 on Q{{a}}");
    let refusal = admit(&bomb, None, &Variables::default()).unwrap_err();
    assert!(matches!(refusal, Refusal::Limit { .. }), "{refusal}");

    let document = parse_query(&bomb).unwrap();
    let operation = &chosen(&document, None).unwrap().node;
    let variables = Variables::default();
    let mut walk = Walk::new(&document, operation, &variables);
    let measure = walk.operation(operation).unwrap();
    assert_eq!(measure.selections, 3 * (1 << 39) - 1);
    assert_eq!(walk.visited, 1 + 39 * 2 + 1);
}

#[test]
fn counts_that_overflow_are_refused_too() {
    // 100 fragments of 8 spreads: 8^100 fields.
    let fragments: String = (0..100).map(|i| format!("fragment F{i} on Q{{{}}}", format!("...F{} ", i + 1).repeat(8))).collect();
    let refusal = admit(&format!("{{...F0}}{fragments}fragment F100 on Q{{a}}"), None, &Variables::default()).unwrap_err();
    assert!(matches!(refusal, Refusal::Limit { .. }), "{refusal}");
}

#[test]
fn fragments_that_no_operation_spreads_are_measured_too() {
    let fragments: String = (1..34).map(|i| format!("fragment F{i} on Q{{...F{}}}", i + 1)).collect();
    refused(&format!("{{a}}{fragments}fragment F34 on Q{{a}}"), &NESTING, 33);
}

#[test]
fn operations_that_are_not_executed_count_towards_the_selections() {
    let fields = repeat("a ", 100);
    let spreads = repeat("...F ", 50);
    let document = format!("query A{{a}} query B{{f{{{spreads}}}}} query C{{f{{{spreads}}}}} fragment F on Q{{{fields}}}");
    let refusal = admit(&document, Some("A"), &Variables::default()).unwrap_err();
    assert!(matches!(refusal, Refusal::Limit { limit: &SELECTIONS, actual: 10_103 }), "{refusal}");
}

#[test]
fn fragment_cycles_are_refused() {
    for document in ["{...A}fragment A on Q{...A}", "{a}fragment A on Q{f{...B}}fragment B on Q{...on Q{...A}}"] {
        assert!(matches!(admit(document, None, &Variables::default()), Err(Refusal::Cycle(_))), "{document}");
    }
}

#[test]
fn cost_follows_the_published_formula() {
    let variables = Variables::from_value(value!({"n": 10, "ids": ["a", "b", "c"], "odd": "x", "none": null}));
    let check = |document: &str, cost: u64| {
        let admitted = admit(document, None, &variables).unwrap_or_else(|refusal| panic!("{refusal}: {document}"));
        assert_eq!(admitted.cost, cost, "{document}");
    };
    check("{a}", 1);
    check("{a{b c}}", 3);
    check("{users{nodes{a b}}}", 1 + 1 + 25 * 2);
    check("{users(first:10){edges{node{a} cursor} pageInfo{a} totalCount}}", 1 + 1 + 10 * 3 + 2 + 1);
    check("{users(last:10){nodes{a}}}", 12);
    check("{users(first:100000){nodes{a}}}", 102);
    check("{users(first:-1){nodes{a}}}", 102);
    check("query($n:Int){users(first:$n){nodes{a}}}", 12);
    check("query($odd:Int){users(first:$odd){nodes{a}}}", 102);
    check("query($none:Int=7){users(first:$none){nodes{a}}}", 27);
    check("query($m:Int=7){users(first:$m){nodes{a}}}", 9);
    check("query($m:Int){users(first:$m){nodes{a}}}", 27);
    check(
        "query($n:Int){users(first:$n){...P}}fragment P on C{nodes{...U}}fragment U on U{a groups(first:$n){nodes{b}}}",
        2 + 10 * (1 + 12),
    );
    check("{x:users(first:10){...P} y:users(first:20){...P}}fragment P on C{nodes{a}}", 12 + 22);
    check("query($ids:[ID!]!){nodes(ids:$ids){a b}}", 1 + 3 * 2);
    check("{nodes(ids:[1,2]){a}}", 3);
    // The query of graphql.md with six fields to each node passes.
    let six = "a b c d e f";
    check(
        &format!(
            "{{users(first:100){{nodes{{{six} groups(first:20){{nodes{{{six} ancestors{{{six}}}}}}} grants(first:10){{nodes{{{six} role{{{six}}}}}}}}}}}}}"
        ),
        2 + 100 * (6 + (2 + 20 * 13) + (2 + 10 * 13)),
    );
}

#[test]
fn the_usual_introspection_queries_pass() {
    let of_type = "kind name ofType{".repeat(9) + "kind name" + &"}".repeat(9);
    let query = format!(
        "query IntrospectionQuery{{__schema{{queryType{{name}}mutationType{{name}}subscriptionType{{name}}types{{...FullType}}\
         directives{{name description locations args{{...InputValue}}}}}}}}\
         fragment FullType on __Type{{kind name description fields(includeDeprecated:true){{name description args{{...InputValue}}\
         type{{...TypeRef}}isDeprecated deprecationReason}}inputFields{{...InputValue}}interfaces{{...TypeRef}}\
         enumValues(includeDeprecated:true){{name description isDeprecated deprecationReason}}possibleTypes{{...TypeRef}}}}\
         fragment InputValue on __InputValue{{name description type{{...TypeRef}}defaultValue}}\
         fragment TypeRef on __Type{{{of_type}}}"
    );
    assert!(admitted(&query).introspects);
    assert!(!admitted("{__typename}").introspects);
}

#[test]
fn the_operation_is_chosen_as_the_specification_says() {
    let kind = |document: &str, name: Option<&str>| admit(document, name, &Variables::default()).map(|admitted| admitted.operation);
    assert_eq!(kind("{a}", None), Ok(OperationType::Query));
    assert_eq!(kind("query A{a} mutation B{b}", Some("B")), Ok(OperationType::Mutation));
    assert_eq!(kind("subscription A{a}", None), Ok(OperationType::Subscription));
    for (document, name) in [("query A{a} query B{b}", None), ("query A{a}", Some("B")), ("{a}", Some("A"))] {
        assert!(matches!(kind(document, name), Err(Refusal::Operation(_))), "{document}");
    }
}

#[test]
fn refusals_name_limit_number_and_remedy() {
    let text = |document: &str| admit(document, None, &Variables::default()).unwrap_err().to_string();
    assert_eq!(text(&nested(16)), "the document has 16 levels of fields, more than 15; ask for the lower levels by id in a second request");
    assert_eq!(text("{"), "the document can not be parsed: expected selection");
    assert_eq!(text("{a(b:\"x)}"), "the document can not be parsed: a string is never closed; close it, and escape line breaks as `\\n`");
    assert_eq!(text("fragment A on B{c}"), "the document can not be parsed: document does not contain an operation");
}

#[test]
fn variables_that_must_have_a_value_have_one() {
    let admits = |document: &str, variables: serde_json::Value| admit(document, None, &Variables::from_json(variables)).is_ok();
    let none = serde_json::json!({});
    assert!(admits("query ($x: Int!) { a(b: $x) }", serde_json::json!({ "x": 1 })));
    assert!(admits("query ($x: Int) { a(b: $x) }", none.clone()));
    assert!(admits("query ($x: Int! = 1) { a(b: $x) }", none.clone()));
    assert!(!admits("query ($x: Int! = 1) { a(b: $x) }", serde_json::json!({ "x": null })));
    assert!(!admits("query ($x: Int!) { a(b: $x) }", serde_json::json!({ "y": 1 })));
    let refused = admit("query ($x: [ID!]!) { a(b: $x) }", None, &Variables::from_json(none)).unwrap_err();
    assert_eq!(refused.to_string(), "the variable `$x` of type `[ID!]!` has no value; send one in `variables`");
}

#[test]
fn bytes_that_are_no_document_are_refused_quietly() {
    for document in ["", "}", "{a}}", "{{{{", "\u{0}", "{a(b:\"\\", "\"\"\"", "{...}", "fragment", "{a(b:)}", "query($", "{a @}"] {
        assert!(admit(document, None, &Variables::default()).is_err(), "{document}");
    }
}
