//! Reads operations from requests: one object or a short list of them by POST, parameters by GET.

use async_graphql::Variables;
use poem::http::{HeaderMap, header};
use serde_json::{Map, Value};

use super::super::{Failure, code::Code, json::Json, limits::BATCH};

/// One operation as sent.
#[derive(Debug, Default)]
pub(super) struct Operation {
    /// The document; absent where only its hash is sent.
    pub(super) query: Option<String>,
    pub(super) name: Option<String>,
    pub(super) variables: Variables,
    pub(super) extensions: Map<String, Value>,
}

/// What a request asks for.
#[derive(Debug)]
pub(super) enum Operations {
    One(Operation),
    Batch(Vec<Operation>),
}

/// Reads the parameters of a GET request.
pub(super) fn of_parameters(parameters: Vec<(String, String)>) -> Result<Operation, Failure> {
    let mut fields = Map::new();
    for (name, text) in parameters {
        let value = match name.as_str() {
            "variables" | "extensions" if !text.is_empty() => serde_json::from_str(&text)
                .map(|Json(value)| value)
                .map_err(|error| unread(&format!("parameter `{name}`"), &error, "encode an object"))?,
            "variables" | "extensions" => Value::Null,
            "query" | "operationName" => Value::String(text),
            _ => continue,
        };
        if fields.insert(name.clone(), value).is_some() {
            return Err(Failure::new(Code::BAD_REQUEST, format!("parameter `{name}` is given twice; give it once")));
        }
    }
    operation(Value::Object(fields))
}

/// Reads the body of a POST request.
pub(super) fn of_body(headers: &HeaderMap, body: &[u8]) -> Result<Operations, Failure> {
    check_content(headers, "application/json")?;
    let Json(body) = serde_json::from_slice(body).map_err(|error| unread("the body", &error, "send an object with `query`"))?;
    match body {
        Value::Array(operations) if operations.is_empty() => {
            Err(Failure::new(Code::BAD_REQUEST, "the batch is empty; send at least one operation"))
        }
        Value::Array(operations) if operations.len() > BATCH => Err(Failure::new(
            Code::LIMIT_EXCEEDED,
            format!("the batch has {} operations, more than {BATCH}; send several requests", operations.len()),
        )),
        Value::Array(operations) => Ok(Operations::Batch(operations.into_iter().map(operation).collect::<Result<_, _>>()?)),
        one => Ok(Operations::One(operation(one)?)),
    }
}

/// What is no JSON, or has a name twice in one object.
fn unread(what: &str, error: &serde_json::Error, remedy: &str) -> Failure {
    let message =
        if error.is_data() { format!("{what}: {error}; give each name once") } else { format!("{what} is not JSON: {error}; {remedy}") };
    Failure::new(Code::BAD_REQUEST, message)
}

/// Refuses bodies of another type, in another character set, or compressed.
///
/// INVARIANT: the types that are let through are ones for which a browser asks before it sends them from another site.
pub(in super::super) fn check_content(headers: &HeaderMap, wanted: &str) -> Result<(), Failure> {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = sent.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().eq_ignore_ascii_case(wanted);
    let charset = |part: &str| part.to_ascii_lowercase().strip_prefix("charset=").map(|charset| charset.trim_matches('"') == "utf-8");
    let encoded = headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity");
    if media && !encoded && parts.filter_map(charset).all(|utf8| utf8) {
        return Ok(());
    }
    if encoded {
        return Err(Failure::new(Code::UNSUPPORTED_MEDIA_TYPE, "the body is compressed (`Content-Encoding`); send it as it is".to_owned()));
    }
    let shown: String = sent.chars().take(64).collect();
    Err(Failure::new(Code::UNSUPPORTED_MEDIA_TYPE, format!("the body is `{shown}`; send it as `{wanted}`, text as UTF-8")))
}

fn operation(value: Value) -> Result<Operation, Failure> {
    let Value::Object(mut fields) = value else {
        return Err(Failure::new(
            Code::BAD_REQUEST,
            format!("an operation must be an object, not {}; send one with `query`", kind(&value)),
        ));
    };
    Ok(Operation {
        query: text(&mut fields, "query")?,
        name: text(&mut fields, "operationName")?.filter(|name| !name.is_empty()),
        variables: Variables::from_json(Value::Object(object(&mut fields, "variables")?)),
        extensions: object(&mut fields, "extensions")?,
    })
}

fn text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Failure> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(wrong(name, "a string", &other)),
    }
}

fn object(fields: &mut Map<String, Value>, name: &str) -> Result<Map<String, Value>, Failure> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(fields)) => Ok(fields),
        Some(other) => Err(wrong(name, "an object", &other)),
    }
}

fn wrong(name: &str, wanted: &str, found: &Value) -> Failure {
    Failure::new(Code::BAD_REQUEST, format!("`{name}` must be {wanted}, not {}; correct it, or leave it out", kind(found)))
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn headers(content_type: &str) -> HeaderMap {
        [(header::CONTENT_TYPE, content_type.parse().unwrap())].into_iter().collect()
    }

    fn refused(body: &str) -> (Code, String) {
        let failure = of_body(&headers("application/json"), body.as_bytes()).unwrap_err();
        (failure.code, failure.message)
    }

    #[test]
    fn a_batch_has_one_to_ten_operations() {
        let batch = |n: usize| json!(vec![json!({"query": "{a}"}); n]).to_string();
        let Operations::Batch(operations) = of_body(&headers("application/json"), batch(BATCH).as_bytes()).unwrap() else { panic!() };
        assert_eq!(operations.len(), BATCH);
        assert_eq!(refused(&batch(BATCH + 1)).0, Code::LIMIT_EXCEEDED);
        assert_eq!(refused("[]").0, Code::BAD_REQUEST);
    }

    #[test]
    fn parameters_of_a_wrong_kind_are_named() {
        assert_eq!(refused(r#"{"query":1}"#).1, "`query` must be a string, not a number; correct it, or leave it out");
        assert_eq!(refused(r#"{"variables":[]}"#).1, "`variables` must be an object, not a list; correct it, or leave it out");
        for body in
            ["", "{", "1", "\"{a}\"", "null", "[[]]", r#"[{"extensions":0}]"#, r#"{"operationName":{}}"#, r#"{"variables":{"a":1,"a":2}}"#]
        {
            assert_eq!(refused(body).0, Code::BAD_REQUEST, "{body}");
        }
    }

    #[test]
    fn only_plain_json_in_utf_8_is_read() {
        for taken in ["application/json", "Application/JSON; Charset=UTF-8", "application/json;charset=\"utf-8\"", "application/json; x=y"]
        {
            assert_eq!(check_content(&headers(taken), "application/json"), Ok(()), "{taken}");
        }
        for sent in
            ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json;charset=latin1"]
        {
            let failure = check_content(&headers(sent), "application/json").unwrap_err();
            assert_eq!(failure.code, Code::UNSUPPORTED_MEDIA_TYPE, "{sent}");
        }
        let mut packed = headers("application/json");
        packed.insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
        assert!(check_content(&packed, "application/json").is_err());
    }

    #[test]
    fn get_parameters_are_json_where_they_must_be() {
        let pairs =
            |pairs: &[(&str, &str)]| of_parameters(pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect());
        let operation = pairs(&[("query", "{a}"), ("variables", r#"{"b":1}"#), ("operationName", ""), ("else", "x")]).unwrap();
        assert_eq!((operation.query.as_deref(), operation.name, operation.variables.len()), (Some("{a}"), None, 1));
        for refused in [&[("variables", "{")][..], &[("extensions", "[]")], &[("query", "a"), ("query", "b")]] {
            assert_eq!(pairs(refused).unwrap_err().code, Code::BAD_REQUEST, "{refused:?}");
        }
    }
}
