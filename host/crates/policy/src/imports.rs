//! What a module may import: the contract's types, which are no code, and the part of WASI that is answered with nothing ([`wasi`]).
//!
//! A policy is a pure function, so there is nothing that it could ask of the host. Toolchains that bring more of WASI in can all be
//! told to leave it out; the refusal says how.

use crate::{bindings::TYPES, wasi};

/// Why the imports are refused, each import named and each with its remedy; empty if they are not.
pub(crate) fn reasons(imports: &[String]) -> Vec<String> {
    let (system, foreign): (Vec<_>, Vec<_>) = imports
        .iter()
        .map(String::as_str)
        .filter(|import| *import != TYPES && !wasi::serves(import))
        .partition(|import| import.starts_with("wasi:"));
    let mut reasons = Vec::new();
    if !system.is_empty() {
        reasons.push(format!(
            "the module imports `{}`, but a policy has no files, network or processes; build JavaScript with componentize-js and \
             `disableFeatures: ['random', 'stdio', 'clocks', 'http', 'fetch-event']`, Python with `componentize-py --stub-wasi`, \
             Rust for `wasm32-unknown-unknown`",
            system.join("`, `")
        ));
    }
    reasons.extend(foreign.into_iter().map(|import| match import.strip_prefix("bailiwick:policy/") {
        Some(_) => format!("the module imports `{import}`, which this server does not serve; build it against `{TYPES}`"),
        None => format!("the module imports `{import}`, but a policy may import nothing; link it into the module or remove it"),
    }));
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_import_but_the_types_is_named_with_its_remedy() {
        let imports = [
            "wasi:filesystem/types@0.2.6",
            TYPES,
            "wasi:io/poll@0.2.6",
            "acme:tools/clock",
            "wasi:http/types@0.2.6",
            "bailiwick:policy/types@2.0.0",
        ];
        let reasons = reasons(&imports.map(str::to_owned));
        let expected = [
            ("`wasi:filesystem/types@0.2.6`, `wasi:http/types@0.2.6`", "--stub-wasi"),
            ("`acme:tools/clock`", "remove it"),
            ("`bailiwick:policy/types@2.0.0`", TYPES),
        ];
        assert_eq!(reasons.len(), expected.len());
        for (reason, (named, remedy)) in reasons.iter().zip(expected) {
            assert!(reason.contains(named) && reason.contains(remedy), "{reason}");
        }
    }

    #[test]
    fn the_types_and_what_is_answered_with_nothing_are_no_imports() {
        assert_eq!(reasons(&[TYPES.to_owned(), "wasi:cli/stdout@0.2.6".to_owned()]), Vec::<String>::new());
    }
}
