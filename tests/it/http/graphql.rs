//! `/graphql`: statuses and media types, tokens, bodies, batches, persisted documents, limits, and what strangers are told.

use std::{fs, path::Path};

use reqwest::{Method, StatusCode, header};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::site::{Site, answer, code, development, head, on_site, on_sites, production};

const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";

#[test]
fn the_same_query_is_answered_by_who_asks() {
    on_sites(async |site| {
        let query = json!({ "query": "{ viewer { name } users { totalCount } }" }).to_string();
        let asked = async |token: &str| answer(site.post(query.clone()).bearer_auth(token)).await.1["data"].take();
        let (admin, member) = (asked(site.admin()).await, asked(site.member()).await);
        assert_eq!(admin["viewer"]["name"], "Amara Okafor");
        assert_eq!(member["viewer"]["name"], "Léa Moreau");
        assert!(admin["users"]["totalCount"].as_i64().unwrap() > member["users"]["totalCount"].as_i64().unwrap());
        let (status, nobody) = answer(site.post(query.clone())).await;
        assert_eq!((status, &nobody["data"]["viewer"]), (StatusCode::OK, &Json::Null));
    });
}

#[test]
fn statuses_and_media_types_are_those_of_the_draft() {
    on_site(production, async |site| {
        for (query, json_status, graphql_status, code_of) in [
            ("{ __typename }", 200, 200, None),
            ("{", 200, 400, Some("GRAPHQL_PARSE_FAILED")),
            ("{ nothing }", 200, 400, Some("GRAPHQL_VALIDATION_FAILED")),
            ("query A { __typename } query B { __typename }", 200, 400, Some("OPERATION_RESOLUTION_FAILURE")),
            ("{ ...A } fragment A on Query { ...A }", 200, 400, Some("GRAPHQL_VALIDATION_FAILED")),
            ("{ node(id: \"x\") { id } }", 200, 200, Some("BAD_USER_INPUT")),
            ("{ users(first: \"x\") { totalCount } }", 200, 400, Some("GRAPHQL_VALIDATION_FAILED")),
            ("query ($x: Int!) { users(first: $x) { totalCount } }", 200, 400, Some("BAD_USER_INPUT")),
        ] {
            for (accept, status) in [("application/json", json_status), (GRAPHQL_RESPONSE, graphql_status)] {
                let response = site.ask(query).header(header::ACCEPT, accept).send().await.unwrap();
                assert_eq!(response.status(), status, "{query} as {accept}");
                assert_eq!(head(&response, "content-type"), format!("{accept}; charset=utf-8"));
                let found: Json = response.json().await.unwrap();
                assert_eq!(code_of, found.get("errors").map(|_| code(&found)), "{query}");
                // Whatever was not executed has no data, not even null.
                assert_eq!(found.get("data").is_some(), graphql_status == 200, "{query}: {found}");
            }
        }
        let (status, refused) = answer(site.ask("{ __typename }").header(header::ACCEPT, "text/html")).await;
        assert_eq!((status, code(&refused)), (StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE"));
    });
}

#[test]
fn requests_of_another_form_are_refused() {
    on_site(production, async |site| {
        for (body, status, expected) in
            [("", 400, "BAD_REQUEST"), ("{}", 400, "BAD_REQUEST"), ("{\"query\": 1}", 400, "BAD_REQUEST"), ("[]", 400, "BAD_REQUEST")]
        {
            let (found, refused) = answer(site.post(body)).await;
            assert_eq!((found.as_u16(), code(&refused)), (status, expected), "{body}");
        }
        for media in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
            let request = site.request(Method::POST, "/graphql").header(header::CONTENT_TYPE, media).body("{\"query\":\"{__typename}\"}");
            let (status, refused) = answer(request).await;
            assert_eq!((status.as_u16(), code(&refused)), (415, "UNSUPPORTED_MEDIA_TYPE"), "{media}");
        }
        for (method, allowed) in [(Method::PUT, "GET, POST"), (Method::DELETE, "GET, POST")] {
            let response = site.request(method, "/graphql").send().await.unwrap();
            assert_eq!((response.status().as_u16(), head(&response, "allow")), (405, allowed));
        }
    });
}

#[test]
fn get_answers_queries_only() {
    on_site(production, async |site| {
        let get = |query: &str| site.request(Method::GET, "/graphql").query(&[("query", query), ("variables", "{\"a\": true}")]);
        let (status, found) = answer(get("query($a: Boolean!) { viewer @include(if: $a) { name } }")).await;
        assert_eq!((status, found["data"].clone()), (StatusCode::OK, json!({ "viewer": null })));
        for accept in ["application/json", GRAPHQL_RESPONSE] {
            let response = get("mutation { __typename }").header(header::ACCEPT, accept).send().await.unwrap();
            assert_eq!((response.status().as_u16(), head(&response, "allow")), (405, "POST"));
            assert_eq!(code(&response.json().await.unwrap()), "METHOD_NOT_ALLOWED");
        }
    });
}

#[test]
fn tokens_are_accepted_or_told_why_not() {
    on_site(production, async |site| {
        for authorization in ["Bearer bwk_unknown", "Basic YTpi", "Bearer"] {
            let response = site.post("{\"query\":\"{__typename}\"}").header(header::AUTHORIZATION, authorization).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{authorization}");
            assert!(head(&response, "www-authenticate").starts_with("Bearer"));
            assert_eq!(code(&response.json().await.unwrap()), "UNAUTHENTICATED");
        }
        let (status, refused) = answer(site.post("{\"query\":\"{__typename}\"}").bearer_auth(&site.demo.operator_token)).await;
        assert_eq!((status, code(&refused)), (StatusCode::FORBIDDEN, "FORBIDDEN"));
        assert_eq!(refused["errors"][0]["message"], "operator tokens do not read workspaces; use a user's or service's token");
    });
}

#[test]
fn bodies_of_64_kib_are_read_however_they_are_framed() {
    on_site(production, async |site| {
        let body = |bytes: usize| {
            let empty = json!({ "query": "{__typename}", "extensions": { "x": "" } }).to_string();
            empty.replace("\"x\":\"\"", &format!("\"x\":\"{}\"", "x".repeat(bytes - empty.len())))
        };
        let head = "POST /graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n";
        for (bytes, status) in [(64 * 1024, "200"), (64 * 1024 + 1, "413")] {
            let body = body(bytes);
            let (one, other) = body.split_at(1_000);
            let chunks = format!("{:x}\r\n{one}\r\n{:x}\r\n{other}\r\n0\r\n\r\n", one.len(), other.len());
            for framed in [format!("content-length: {bytes}\r\n\r\n{body}"), format!("transfer-encoding: chunked\r\n\r\n{chunks}")] {
                let mut stream = TcpStream::connect(site.address()).await.unwrap();
                stream.write_all(format!("{head}{framed}").as_bytes()).await.unwrap();
                let mut found = String::new();
                stream.read_to_string(&mut found).await.unwrap();
                assert_eq!(found.split(' ').nth(1), Some(status), "{found}");
            }
        }
    });
}

#[test]
fn a_batch_is_answered_in_order() {
    on_site(production, async |site| {
        let batch = |n: usize| {
            let aliased = (0..n).map(|at| json!({ "query": format!("{{ x{at}: __typename }}") })).collect::<Vec<_>>();
            site.post(json!(aliased).to_string())
        };
        let (status, found) = answer(batch(10)).await;
        assert_eq!(status, StatusCode::OK);
        for (at, one) in found.as_array().unwrap().iter().enumerate() {
            assert_eq!(one["data"], json!({ format!("x{at}"): "Query" }));
        }
        let (status, refused) = answer(batch(11)).await;
        assert_eq!((status, code(&refused)), (StatusCode::PAYLOAD_TOO_LARGE, "LIMIT_EXCEEDED"));

        let mixed = json!([{ "query": "{" }, { "query": "{ __typename }" }, {}]).to_string();
        let (status, found) = answer(site.post(mixed)).await;
        assert_eq!((status, code(&found[0]), code(&found[2])), (StatusCode::OK, "GRAPHQL_PARSE_FAILED", "BAD_REQUEST"));
        assert_eq!(found[1]["data"], json!({ "__typename": "Query" }));
    });
}

#[test]
fn documents_are_remembered_by_their_hash_for_callers_with_a_token() {
    on_site(production, async |site| {
        let document = "{ viewer { name } }";
        let hash: String = Sha256::digest(document).iter().map(|byte| format!("{byte:02x}")).collect();
        let persisted = json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } });
        let by_hash = || site.post(json!({ "extensions": persisted }).to_string()).bearer_auth(site.member());
        let with_document = || site.post(json!({ "query": document, "extensions": persisted }).to_string());

        let (status, missing) = answer(by_hash()).await;
        assert_eq!((status, code(&missing)), (StatusCode::OK, "PERSISTED_QUERY_NOT_FOUND"));
        assert_eq!(missing["errors"][0]["message"], "PersistedQueryNotFound");
        // A stranger's document is executed, and not kept.
        assert_eq!(answer(with_document()).await.1["data"], json!({ "viewer": null }));
        assert_eq!(code(&answer(by_hash()).await.1), "PERSISTED_QUERY_NOT_FOUND");
        assert_eq!(answer(with_document().bearer_auth(site.admin())).await.1["data"]["viewer"]["name"], "Amara Okafor");
        assert_eq!(answer(by_hash()).await.1["data"]["viewer"]["name"], "Léa Moreau");

        let other = site.post(json!({ "query": "{ __typename }", "extensions": persisted }).to_string());
        assert_eq!(code(&answer(other).await.1), "PERSISTED_QUERY_HASH_MISMATCH");
    });
}

#[test]
fn limits_name_what_was_counted_and_the_cost_is_told() {
    on_site(production, async |site| {
        let (status, found) = answer(site.ask("{ users(first: 10) { nodes { id displayName } } }")).await;
        assert_eq!((status, &found["extensions"]["cost"]), (StatusCode::OK, &json!({ "requested": 22, "limit": 50_000 })));

        let deep = format!("{{ workspace {}{} }}", "{ a ".repeat(15), "}".repeat(15));
        let (_, refused) = answer(site.ask(&deep)).await;
        assert_eq!(code(&refused), "LIMIT_EXCEEDED");
        let error = &refused["errors"][0];
        assert_eq!(error["extensions"]["limit"], json!({ "name": "depth", "maximum": 15, "requested": 16 }));
        assert_eq!(
            error["message"],
            "the document has 16 levels of fields, more than 15; ask for the lower levels by id in a second request"
        );

        let bomb: String = (0..30).map(|at| format!("fragment F{at} on Query{{...F{0} ...F{0}}}", at + 1)).collect();
        let (_, refused) = answer(site.ask(&format!("{{...F0}}{bomb}fragment F30 on Query{{__typename}}"))).await;
        assert_eq!(refused["errors"][0]["extensions"]["limit"]["name"], "selections");
    });
}

#[test]
fn a_refused_document_is_answered_with_few_errors() {
    on_site(production, async |site| {
        let (_, refused) = answer(site.ask(&format!("{{ workspace {{ {} }} }}", "nothing ".repeat(500)))).await;
        assert_eq!(refused["errors"].as_array().unwrap().len(), 20);
    });
}

#[test]
fn strangers_learn_nothing_of_the_schema_in_production() {
    let schema = "{ __schema { queryType { name } } }";
    let misspelt = "{ userz { totalCount } }";
    on_site(production, async |site| {
        let stranger = async |query: &str| answer(site.post(json!({ "query": query }).to_string())).await;
        for query in [schema, "{ __type(name: \"User\") { name } }", "{ ...A } fragment A on Query { x: __type(name: \"User\") { name } }"]
        {
            let (status, refused) = stranger(query).await;
            assert_eq!((status, code(&refused)), (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"), "{query}");
        }
        assert_eq!(stranger("{ __typename }").await.1["data"], json!({ "__typename": "Query" }));
        assert_eq!(message(&stranger(misspelt).await.1), "Unknown field \"userz\" on type \"Query\".");
        let (_, found) = answer(site.ask(schema)).await;
        assert_eq!(found["data"]["__schema"]["queryType"]["name"], "Query");
        assert!(message(&answer(site.ask(misspelt)).await.1).contains("Did you mean"));
    });
    on_site(development, async |site| {
        let stranger = async |query: &str| answer(site.post(json!({ "query": query }).to_string())).await.1;
        assert_eq!(stranger(schema).await["data"]["__schema"]["queryType"]["name"], "Query");
        assert!(message(&stranger(misspelt).await).contains("Did you mean"));
    });
}

#[test]
fn the_cost_of_the_policy_is_explained_to_whoever_may_read_the_policy() {
    on_sites(async |site| {
        let explained = async |site: &Site, token: &str, header: &str| {
            let query = json!({ "query": "{ users { totalCount } }" }).to_string();
            answer(site.post(query).bearer_auth(token).header("bailiwick-explain", header)).await.1["extensions"]["policy"].take()
        };
        let policy = explained(site, site.admin(), "1").await;
        assert_eq!(policy["module"], "standard 1.0.0");
        assert!(["calls", "fuel", "sqlStatements"].iter().all(|name| policy[name].as_u64().is_some_and(|count| count > 0)), "{policy}");
        assert_eq!(explained(site, site.admin(), "0").await, Json::Null);
        assert_eq!(explained(site, site.member(), "1").await, Json::Null);
    });
}

#[test]
fn a_request_ends_at_its_deadline() {
    on_site(
        |config| config.limits.request_ms = 1,
        async |site| {
            let (status, late) = answer(site.ask("{ users(first: 100) { nodes { groups { nodes { members { totalCount } } } } } }")).await;
            assert_eq!((status, code(&late)), (StatusCode::SERVICE_UNAVAILABLE, "DEADLINE_EXCEEDED"));
        },
    );
}

#[test]
fn a_mutation_ends_at_a_deadline_of_its_own_and_has_changed_nothing() {
    on_site(
        |config| config.limits.mutation_ms = 1,
        async |site| {
            let create = "mutation { createGroup(input: { name: \"Late\", key: \"late\" }) { userErrors { code } } }";
            let (status, late) = answer(site.ask(create)).await;
            assert_eq!((status, code(&late)), (StatusCode::SERVICE_UNAVAILABLE, "DEADLINE_EXCEEDED"));
            let (_, found) = answer(site.ask("{ group(by: { key: \"late\" }) { id } }")).await;
            assert_eq!(found["data"], json!({ "group": null }));
        },
    );
}

#[test]
fn errors_and_answers_name_the_request() {
    on_site(production, async |site| {
        let response = site.ask("{").header("x-request-id", "mine-1").send().await.unwrap();
        assert_eq!(head(&response, "x-request-id"), "mine-1");
        let found: Json = response.json().await.unwrap();
        assert_eq!(found["errors"][0]["extensions"]["requestId"], "mine-1");

        let response = site.ask("{").header("x-request-id", "not one word").send().await.unwrap();
        let id = head(&response, "x-request-id").to_owned();
        assert_eq!(id.len(), 32);
        assert_eq!(response.json::<Json>().await.unwrap()["errors"][0]["extensions"]["requestId"], id.as_str());
    });
}

#[test]
fn every_example_of_graphiql_is_answered() {
    on_sites(async |site| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/src/graphiql/examples");
        let mut examples = 0;
        for file in fs::read_dir(folder).unwrap() {
            let query = fs::read_to_string(file.unwrap().path()).unwrap();
            assert!(query.starts_with("# "), "an example begins with its name");
            for token in [site.admin(), site.member()] {
                let (status, found) = answer(site.post(json!({ "query": query }).to_string()).bearer_auth(token)).await;
                assert_eq!((status, found.get("errors")), (StatusCode::OK, None), "{query}");
            }
            examples += 1;
        }
        assert_eq!(examples, 5);
    });
}

fn message(answer: &Json) -> &str {
    answer["errors"][0]["message"].as_str().unwrap()
}
