//! The pages beside `/graphql` and `/v1`: health, metrics, GraphiQL; and the page of the docs that lists the error codes.

use std::{fs, path::Path};

use bailiwick::http::Code;
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};

use super::site::{answer, code, development, head, on_site, on_sites, production};

#[test]
fn the_server_lives_and_is_ready() {
    on_sites(async |site| {
        for (path, status) in [("/healthz", "ok"), ("/readyz", "ready")] {
            assert_eq!(answer(site.request(Method::GET, path)).await, (StatusCode::OK, json!({ "status": status })));
        }
    });
}

#[test]
fn metrics_count_requests_and_policy_calls() {
    on_site(production, async |site| {
        answer(site.ask("{ users { totalCount } }")).await;
        answer(site.ask("{")).await;
        answer(site.request(Method::GET, "/nothing-at-all")).await;
        let text = site.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
        for line in [
            "http_requests_total{route=\"/graphql\",method=\"POST\",code=\"200\"}",
            "http_requests_total{route=\"none\",method=\"GET\",code=\"404\"}",
            "http_request_seconds_bucket{route=\"/graphql\",le=\"0.1\"}",
            "http_requests_in_flight",
            "graphql_errors_total{code=\"GRAPHQL_PARSE_FAILED\"}",
            "policy_calls_total{function=\"scope\"}",
        ] {
            assert!(text.contains(line), "`{line}` is missing in:\n{text}");
        }
        assert!(!text.contains("nothing-at-all"));
    });
}

#[test]
fn graphiql_is_there_in_development_only() {
    let files = ["/graphiql/graphiql.js", "/graphiql/graphiql.css", "/graphiql/licences.txt"];
    on_site(development, async |site| {
        let page = site.request(Method::GET, "/").send().await.unwrap();
        assert_eq!(head(&page, "content-type"), "text/html; charset=utf-8");
        assert!(head(&page, "content-security-policy").starts_with("default-src 'none'; script-src 'self';"));
        assert!(!page.text().await.unwrap().contains("//"), "the page loads from this server alone");
        for path in files {
            assert_eq!(site.request(Method::GET, path).send().await.unwrap().status(), StatusCode::OK, "{path}");
        }
        let (_, people) = answer(site.request(Method::GET, "/demo/people")).await;
        assert_eq!(people["workspaces"][0]["people"][0]["token"], site.admin());
        assert!(!people.to_string().contains(&site.demo.operator_token));
    });
    on_site(production, async |site| {
        let (status, page) = answer(site.request(Method::GET, "/")).await;
        assert_eq!((status, page), (StatusCode::OK, json!({ "name": "Bailiwick", "graphql": "/graphql" })));
        for path in files.iter().chain(&["/demo/people"]) {
            let (status, refused) = answer(site.request(Method::GET, path)).await;
            assert_eq!((status, code(&refused)), (StatusCode::NOT_FOUND, "NOT_FOUND"), "{path}");
        }
    });
}

#[test]
fn every_answer_has_the_headers_of_every_answer() {
    on_site(production, async |site| {
        for (method, path, status) in [
            (Method::GET, "/", 200),
            (Method::HEAD, "/healthz", 200),
            (Method::GET, "/nothing", 404),
            (Method::POST, "/healthz", 405),
            (Method::GET, "/v1/policies", 401),
            (Method::GET, "/graphql", 400),
        ] {
            let response = site.request(method, path).send().await.unwrap();
            assert_eq!(response.status().as_u16(), status, "{path}");
            assert_eq!((head(&response, "cache-control"), head(&response, "x-content-type-options")), ("no-store", "nosniff"));
            assert_eq!(head(&response, "x-request-id").len(), 32);
            assert_eq!(head(&response, "access-control-allow-origin"), "", "other sites read nothing");
        }
    });
}

#[test]
fn every_error_code_is_documented_and_no_other() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let documented: Vec<(String, u16)> =
        rows.map(|(name, rest)| (name.to_owned(), rest.split(' ').next().unwrap().parse().unwrap())).collect();
    let listed: Vec<(String, u16)> = Code::ALL.iter().map(|code| (code.name.to_owned(), code.status)).collect();
    assert_eq!(documented, listed, "docs/errors.md and the codes of the server");
}

#[test]
fn every_limit_is_documented_with_its_number() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/http.md")).unwrap();
    for limit in bailiwick::graphql::limits::LIMITS {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", limit.name)));
        let row = row.unwrap_or_else(|| panic!("`{}` has no row in docs/http.md", limit.name)).replace(',', "");
        assert!(row.starts_with(&format!("| `{}` | {} |", limit.name, limit.max)), "{row}");
    }
}

#[test]
fn failures_outside_graphql_have_one_form() {
    on_site(production, async |site| {
        let (_, failure) = answer(site.request(Method::GET, "/nothing")).await;
        let error = failure["error"].as_object().unwrap();
        let mut keys: Vec<&str> = error.keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["code", "message", "requestId"]);
        assert!(error.values().all(Json::is_string));
    });
}
