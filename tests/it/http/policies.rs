//! `/v1/policies`: the life of a module over HTTP.

use bailiwick::wiring;
use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::site::{Site, answer, code, on_site, on_sites, production};

fn upload(site: &Site, bytes: impl Into<reqwest::Body>) -> RequestBuilder {
    let request = site.request(Method::PUT, "/v1/policies?note=a%20try").header(header::CONTENT_TYPE, "application/wasm");
    request.bearer_auth(site.admin()).body(bytes)
}

fn send(site: &Site, method: Method, path: &str, body: &Json) -> RequestBuilder {
    site.request(method, &format!("/v1/policies{path}")).bearer_auth(site.admin()).json(body)
}

async fn list(site: &Site) -> Json {
    let (status, list) = answer(site.request(Method::GET, "/v1/policies").bearer_auth(site.admin())).await;
    assert_eq!(status, StatusCode::OK, "{list}");
    list
}

async fn active(site: &Site) -> Json {
    list(site).await["active"].take()
}

/// The version that a change made active.
async fn changed(request: RequestBuilder) -> String {
    let (status, body) = answer(request).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body["version"].as_str().unwrap().to_owned()
}

#[test]
fn a_module_is_uploaded_activated_and_rolled_back() {
    on_sites(async |site| {
        let before = active(site).await;
        assert_eq!((&before["module"], &before["manifest"]["name"]), (&json!("standard"), &json!("standard")));
        let module = wiring::need_to_know();
        let (status, uploaded) = answer(upload(site, module.bytes.to_vec())).await;
        assert_eq!((status, &uploaded["status"], &uploaded["reasons"]), (StatusCode::CREATED, &json!("validated"), &json!([])));
        assert_eq!(uploaded["digest"], module.digest.to_string());
        let (status, again) = answer(upload(site, module.bytes.to_vec())).await;
        assert_eq!((status, &again), (StatusCode::OK, &uploaded), "the same bytes are the same module");

        let id = uploaded["id"].as_str().unwrap();
        let version =
            changed(send(site, Method::POST, &format!("/{id}/activate"), &json!({ "expected": before["id"], "note": "go" }))).await;
        let now = active(site).await;
        assert_eq!((&now["id"], &now["module"], &now["note"]), (&json!(version), &json!(id), &json!("go")));
        assert_eq!(now["manifest"]["name"], "need-to-know");
        assert_eq!(now["number"].as_i64(), before["number"].as_i64().map(|number| number + 1));

        let stale = answer(send(site, Method::POST, "/standard/activate", &json!({ "expected": "standard" }))).await;
        assert_eq!((stale.0, code(&stale.1)), (StatusCode::PRECONDITION_FAILED, "STALE"), "another module is active");
        let back = changed(send(site, Method::POST, "/rollback", &json!({}))).await;
        let after = active(site).await;
        assert_eq!((&after["id"], &after["module"], &after["repeats"]), (&json!(back), &json!("standard"), &before["id"]));
        changed(send(site, Method::POST, "/rollback", &json!({ "to": version }))).await;
        assert_eq!(active(site).await["module"], json!(id));

        let all = list(site).await;
        assert_eq!((all["modules"][0]["id"].as_str(), all["modules"][0]["note"].as_str()), (Some(id), Some("a try")));
        assert_eq!(all["versions"].as_array().unwrap().len(), 4);
    });
}

#[test]
fn settings_are_changed_against_the_version_that_was_seen() {
    on_sites(async |site| {
        let first = active(site).await["id"].take();
        let second =
            changed(send(site, Method::PUT, "/settings", &json!({ "expected": first, "standardSettings": { "members_see": "self" } })))
                .await;
        assert_eq!(active(site).await["standardSettings"], "{\"members_see\":\"self\"}");

        let stale = answer(send(site, Method::PUT, "/settings", &json!({ "expected": first, "standardSettings": {} }))).await;
        assert_eq!((stale.0, code(&stale.1)), (StatusCode::PRECONDITION_FAILED, "STALE"));
        let refused = answer(send(site, Method::PUT, "/settings", &json!({ "expected": second, "standardSettings": { "x": 1 } }))).await;
        assert_eq!((refused.0, code(&refused.1)), (StatusCode::UNPROCESSABLE_ENTITY, "ACTIVATION_REFUSED"));
        assert_eq!(refused.1["error"]["reasons"][0]["gate"], "settings");
        let useless = answer(send(site, Method::PUT, "/settings", &json!({ "expected": second, "settings": "x" }))).await;
        assert_eq!((useless.0, code(&useless.1)), (StatusCode::BAD_REQUEST, "BAD_USER_INPUT"));
        let to_standard = json!({ "expected": "standard", "settings": { "members_see": "subtree" } });
        changed(send(site, Method::POST, "/standard/activate", &to_standard)).await;
        assert_eq!(active(site).await["standardSettings"], "{\"members_see\":\"subtree\"}");
        let by_its_name = json!({ "expected": "standard", "standardSettings": { "members_see": "groups" } });
        changed(send(site, Method::POST, "/standard/activate", &by_its_name)).await;
        assert_eq!(active(site).await["standardSettings"], "{\"members_see\":\"groups\"}");
        let twice = json!({ "expected": "standard", "settings": {}, "standardSettings": {} });
        let refused = answer(send(site, Method::POST, "/standard/activate", &twice)).await;
        assert_eq!((refused.0, code(&refused.1)), (StatusCode::BAD_REQUEST, "BAD_USER_INPUT"));

        let module = answer(upload(site, wiring::need_to_know().bytes.to_vec())).await.1["id"].take();
        let path = format!("/{}/activate", module.as_str().unwrap());
        changed(send(site, Method::POST, &path, &json!({ "expected": "standard", "standardSettings": { "members_see": "self" } }))).await;
        let now = active(site).await;
        assert_eq!((&now["module"], &now["standardSettings"]), (&module, &json!("{\"members_see\":\"self\"}")), "both at once");
    });
}

#[test]
fn bytes_that_are_no_policy_are_rejected_with_reasons() {
    on_site(production, async |site| {
        let (status, rejected) = answer(upload(site, "not a module")).await;
        assert_eq!((status, &rejected["status"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("rejected")));
        assert!(!rejected["reasons"].as_array().unwrap().is_empty());
        let path = format!("/{}/activate", rejected["id"].as_str().unwrap());
        let refused = answer(send(site, Method::POST, &path, &json!({ "expected": active(site).await["id"] }))).await;
        assert_eq!((refused.0, code(&refused.1)), (StatusCode::UNPROCESSABLE_ENTITY, "ACTIVATION_REFUSED"));

        let most = 32 * 1024 * 1024;
        assert_eq!(answer(upload(site, vec![0; most])).await.0, StatusCode::UNPROCESSABLE_ENTITY);
        let (status, refused) = answer(upload(site, vec![0; most + 1])).await;
        assert_eq!((status, code(&refused)), (StatusCode::PAYLOAD_TOO_LARGE, "LIMIT_EXCEEDED"));
    });
}

#[test]
fn bad_input_is_named_and_changes_nothing() {
    on_site(production, async |site| {
        let before = list(site).await;
        let expected = &before["active"]["id"];
        for (method, path, body, status) in [
            (Method::POST, "/x/activate", json!({ "expected": expected }), 400),
            (Method::POST, "/standard/activate?dryRun=1", json!({ "expected": expected }), 400),
            (Method::POST, "/rollback?to=x", json!({}), 400),
            (Method::PUT, "/settings?standardSettings=x", json!({ "expected": expected }), 400),
            (
                Method::POST,
                "/standard/activate",
                json!({ "expected": expected, "settings": "{\"members_see\":\"self\",\"members_see\":\"workspace\"}" }),
                422,
            ),
            (Method::POST, "/pol_00000000000000000000000000000000/activate", json!({ "expected": expected }), 404),
            (Method::POST, "/standard/activate", json!({ "expected": "x" }), 400),
            (Method::POST, "/standard/activate", json!({}), 400),
            (Method::POST, "/standard/activate", json!({ "expected": expected, "settings": 1 }), 400),
            (Method::POST, "/standard/activate", json!({ "expected": expected, "else": 1 }), 400),
            (Method::POST, "/standard/activate", json!({ "expected": expected, "note": "x".repeat(2_049) }), 413),
            (Method::POST, "/rollback", json!({ "to": "x" }), 400),
            (Method::POST, "/rollback", json!({ "to": "pov_00000000000000000000000000000000" }), 404),
            (Method::POST, "/rollback", json!({}), 422),
            (Method::PUT, "/settings", json!([]), 400),
            (Method::DELETE, "/settings", json!({}), 405),
            (Method::GET, "/rollback", json!({}), 405),
        ] {
            let (found, refused) = answer(send(site, method, path, &body)).await;
            assert_eq!(found.as_u16(), status, "{path} {body}: {refused}");
            assert!(refused["error"]["message"].is_string());
        }
        let (status, refused) = answer(site.request(Method::PUT, "/v1/policies?notes=x").bearer_auth(site.admin())).await;
        assert_eq!((status, code(&refused)), (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE"));
        assert_eq!(list(site).await, before);
    });
}

#[test]
fn bodies_are_objects_and_nothing_that_would_do_for_one() {
    on_sites(async |site| {
        let first = active(site).await["id"].take();
        let second =
            changed(send(site, Method::PUT, "/settings", &json!({ "expected": first, "standardSettings": { "members_see": "self" } })))
                .await;
        let before = list(site).await;
        let other = json!({ "members_see": "workspace" });
        // Each list has the fields of the object in their order, so that it could be read as one.
        for (method, path, fields) in [
            (Method::POST, "/rollback", json!([first])),
            (Method::POST, "/rollback", json!([null])),
            (Method::POST, "/standard/activate", json!([second, other, "a note"])),
            (Method::PUT, "/settings", json!([second, null, other, "a note"])),
        ] {
            let texts = [fields.to_string(), format!(" \r\n\t{fields}"), json!(fields.to_string()).to_string()];
            for body in texts.iter().map(String::as_str).chain(["\"\"", "null", "true", "1", ""]) {
                let request = site.request(method.clone(), &format!("/v1/policies{path}")).bearer_auth(site.admin());
                let request = request.header(header::CONTENT_TYPE, "application/json").body(body.to_owned());
                let (status, refused) = answer(request).await;
                assert_eq!((status, code(&refused)), (StatusCode::BAD_REQUEST, "BAD_REQUEST"), "{path} {body}");
                let message = "the body is no JSON object; send one with the fields that the docs name";
                assert_eq!(refused["error"]["message"], message, "{path} {body}");
            }
        }
        assert_eq!(list(site).await, before);
        let spaced = format!(" \r\n\t{}", json!({ "expected": second, "standardSettings": other }));
        let request = site.request(Method::PUT, "/v1/policies/settings").bearer_auth(site.admin());
        changed(request.header(header::CONTENT_TYPE, "application/json").body(spaced)).await;
        assert_eq!(active(site).await["standardSettings"], other.to_string());
    });
}

#[test]
fn notes_have_no_control_characters() {
    on_sites(async |site| {
        let first = active(site).await["id"].take();
        let before = list(site).await;
        let settings = json!({ "members_see": "self" });
        for bad in ['\0', '\u{7}', '\u{1b}', '\r', '\u{7f}', '\u{9b}'] {
            let note = format!("a{bad}note");
            let escaped: String = note.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let activation = json!({ "expected": first, "settings": settings, "note": note });
            let change = json!({ "expected": first, "standardSettings": settings, "note": note });
            let module = site.request(Method::PUT, &format!("/v1/policies?note={escaped}")).bearer_auth(site.admin());
            let module = module.header(header::CONTENT_TYPE, "application/wasm").body(wiring::need_to_know().bytes.to_vec());
            for (what, request) in [
                ("an activation", send(site, Method::POST, "/standard/activate", &activation)),
                ("a change of settings", send(site, Method::PUT, "/settings", &change)),
                ("an upload", module),
            ] {
                let (status, refused) = answer(request).await;
                assert_eq!((status, code(&refused)), (StatusCode::BAD_REQUEST, "BAD_USER_INPUT"), "{what} {bad:?}: {refused}");
                let message = refused["error"]["message"].as_str().unwrap();
                assert!(message.starts_with("the note has a control character"), "{what} {bad:?}: {message}");
            }
        }
        assert_eq!(list(site).await, before);
        let lines = "two lines\nand a\ttab";
        let change = json!({ "expected": first, "standardSettings": settings, "note": lines });
        changed(send(site, Method::PUT, "/settings", &change)).await;
        assert_eq!(active(site).await["note"], lines);
    });
}

#[test]
fn what_was_rolled_back_is_not_what_comes_before() {
    on_sites(async |site| {
        let set = async |members: &str| {
            let seen = active(site).await["id"].take();
            let settings = json!({ "expected": seen, "standardSettings": { "members_see": members } });
            changed(send(site, Method::PUT, "/settings", &settings)).await
        };
        let (first, roll_back) = (active(site).await, json!({}));
        set("self").await;
        changed(send(site, Method::POST, "/rollback", &roll_back)).await;
        let third = set("workspace").await;
        // Away from the third, and not to the second, which was given up.
        changed(send(site, Method::POST, "/rollback", &roll_back)).await;
        let now = active(site).await;
        assert_eq!((&now["repeats"], &now["standardSettings"]), (&first["id"], &first["standardSettings"]));
        let (status, refused) = answer(send(site, Method::POST, "/rollback", &roll_back)).await;
        assert_eq!((status, code(&refused)), (StatusCode::UNPROCESSABLE_ENTITY, "ACTIVATION_REFUSED"), "nothing was before the first");
        changed(send(site, Method::POST, "/rollback", &json!({ "to": third }))).await;
        assert_eq!(active(site).await["repeats"], json!(third));
        // From there, back to what the first stood for.
        changed(send(site, Method::POST, "/rollback", &roll_back)).await;
        assert_eq!(active(site).await["repeats"], first["id"]);
    });
}

#[test]
fn nobody_sends_a_large_body_for_nothing() {
    on_site(production, async |site| {
        let mut stream = TcpStream::connect(site.address()).await.unwrap();
        let head = format!(
            "PUT /v1/policies HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/wasm\r\ncontent-length: 33554432\r\n\r\n",
            site.member()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = vec![0; 12];
        let read = tokio::time::timeout(std::time::Duration::from_secs(5), stream.read_exact(&mut answer)).await;
        assert!(read.is_ok(), "the answer waits for nothing");
        assert_eq!(String::from_utf8(answer).unwrap(), "HTTP/1.1 403");
    });
}

#[test]
fn whoever_may_not_is_told_so() {
    on_site(production, async |site| {
        for (method, path) in [
            (Method::GET, ""),
            (Method::PUT, ""),
            (Method::PUT, "/settings"),
            (Method::POST, "/rollback"),
            (Method::POST, "/standard/activate"),
        ] {
            let bytes = method == Method::PUT && path.is_empty();
            let request = || {
                let request = site.request(method.clone(), &format!("/v1/policies{path}"));
                let version = json!({ "expected": "pov_00000000000000000000000000000000" });
                let body = if path == "/rollback" { json!({}) } else { version };
                if bytes { request.header(header::CONTENT_TYPE, "application/wasm").body("x") } else { request.json(&body) }
            };
            let (status, refused) = answer(request()).await;
            assert_eq!((status, code(&refused)), (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"), "{method} {path}");
            for token in [site.member(), &site.demo.operator_token] {
                let (status, refused) = answer(request().bearer_auth(token)).await;
                assert_eq!((status, code(&refused)), (StatusCode::FORBIDDEN, "FORBIDDEN"), "{method} {path}");
            }
        }
    });
}
