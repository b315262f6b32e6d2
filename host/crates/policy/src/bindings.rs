//! The contract as the runtime's own types, generated here and nowhere else. Only [`crate::convert`] and [`crate::guest`] see them.

wasmtime::component::bindgen!({ path: "../../../wit", world: "policy" });

pub(crate) use bailiwick::policy::types;
pub(crate) use exports::bailiwick::policy::decide::Guest as Decide;

/// The interface that a module exports.
pub(crate) const DECIDE: &str = "bailiwick:policy/decide@1.0.0";
/// The interface that a module may import: types only.
pub(crate) const TYPES: &str = "bailiwick:policy/types@1.0.0";

/// The contract's text, from which refusals quote.
const WIT: &str = include_str!("../../../../wit/policy.wit");

/// What the contract says that the function `name` of [`DECIDE`] looks like.
pub(crate) fn signature(name: &str) -> &'static str {
    let declaration = |line: &'static str| {
        let line = line.trim();
        let (declared, rest) = line.split_once(": func")?;
        (declared == name).then(|| line.get(..declared.len() + ": func".len() + rest.find(';')?)).flatten()
    };
    WIT.lines().find_map(declaration).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn signatures_are_quoted_from_the_contract() {
        let check = |name, expected| assert_eq!(super::signature(name), expected);
        check("describe", "describe: func() -> manifest");
        check("validate-settings", "validate-settings: func(settings: string) -> result<_, list<string>>");
        check("scope", "scope: func(context: context, kind: string) -> row-filter");
        check("check", "check: func(context: context, rows: rows, change: option<change>) -> verdicts");
    }
}
