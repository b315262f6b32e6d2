//! Everything that speaks against an upload, found at once and each with its remedy.

use std::sync::Arc;

use directory::{
    contract::{Failure, Manifest, Validation},
    limits::SETTINGS_BYTES,
    register::{self, CONTEXT_NEEDS, Kind},
    text::is_unseen,
};

use crate::{
    guest::quoted,
    module::{self, Reasons, Uncompiled},
    probe::{Probe, probe},
    sandbox::Sandbox,
    session::GuestSession,
    worker::Lost,
};

pub(crate) async fn validate(sandbox: &Sandbox, bytes: &[u8], settings: &str) -> Validation {
    let upload = Arc::from(bytes);
    let digest = sandbox.digest(&upload).await.unwrap_or_else(|Lost| module::digest(bytes));
    let mut validation = Validation { digest, manifest: None, reasons: Vec::new(), unready: None, fuel_per_row: Vec::new() };
    let compiled = async {
        let turn = sandbox.upload().await?;
        let module = sandbox.compile(&turn, digest, upload).await?;
        Ok::<_, Uncompiled>((turn, module))
    };
    // The turn is kept while the module is tried, so that uploads take one thread, whatever their number.
    let (_turn, module) = match compiled.await {
        Ok(compiled) => compiled,
        Err(uncompiled) => {
            if let Uncompiled::Unable(why) = &uncompiled {
                validation.unready = Some(why.clone());
            }
            validation.reasons = uncompiled.reasons();
            return validation;
        }
    };
    let account = sandbox.upload_account();
    let session = || GuestSession::new(sandbox.runtime(), account.clone(), module.clone());
    let described = session().describe().await;
    match &described {
        Ok(manifest) => validation.reasons.extend(manifest_reasons(manifest)),
        Err(failure) => validation.reasons.push(failed("describe", failure)),
    }
    validation.reasons.extend(settings_reasons(session(), settings).await);
    let Ok(manifest) = described else { return validation };
    let Probe { reasons, fuel_per_row } = probe(&session, &manifest, settings).await;
    validation.reasons.extend(reasons);
    validation.fuel_per_row = fuel_per_row;
    if validation.reasons.is_empty() {
        sandbox.keep(validation.digest, module, Arc::new(manifest.clone()));
    }
    validation.manifest = Some(manifest);
    validation
}

/// A call that came to nothing, and what its author can do about it.
pub(crate) fn failed(call: &str, failure: &Failure) -> String {
    let remedy = match failure {
        Failure::Trap(_) => "; run it with the same facts in a unit test",
        Failure::Malformed(_) => "; see the limits and names in the contract's guide",
        Failure::Unloadable(_) | Failure::Unready(_) | Failure::Busy(_) | Failure::Share(_) => "; try again",
        Failure::Fuel(_) => "",
    };
    format!("`{call}`: {failure}{remedy}")
}

async fn settings_reasons(mut session: GuestSession, settings: &str) -> Reasons {
    if settings.len() > SETTINGS_BYTES {
        return vec![format!("the settings have {} bytes; at most {SETTINGS_BYTES} are allowed", settings.len())];
    }
    match session.validate_settings(settings).await {
        Ok(errors) => errors.iter().map(|error| format!("the policy refuses its settings: {error}")).collect(),
        Err(failure) => vec![failed("validate-settings", &failure)],
    }
}

fn manifest_reasons(manifest: &Manifest) -> Reasons {
    let mut reasons = Vec::new();
    for (what, text) in [("name", &manifest.name), ("version", &manifest.version), ("summary", &manifest.summary)] {
        if text.trim().is_empty() {
            reasons.push(format!("the manifest's `{what}` is empty; people read it to tell policies apart"));
        }
        if text.chars().any(char::is_control) {
            reasons.push(format!("the manifest's `{what}` has a control character, such as a line break; write it in one line"));
        }
        if let Some(unseen) = text.chars().find(|character| is_unseen(*character)) {
            reasons.push(format!("the manifest's `{what}` has the character U+{:04X}, which nobody sees; leave it out", u32::from(unseen)));
        }
    }
    if manifest.decides.is_empty() {
        reasons.push("the manifest's `decides` is empty; name at least one action, such as `user.*`".to_owned());
    }
    reasons.extend(unknown("decides", &manifest.decides, knows_pattern, known_patterns));
    reasons.extend(unknown("needs", &manifest.needs, register::knows_need, known_needs));
    reasons.extend(unknown("fields", &manifest.fields, |field| register::knows_field(field, None), known_fields));
    if !["deny", "standard"].contains(&manifest.otherwise.as_str()) {
        let otherwise = quoted(&manifest.otherwise);
        reasons.push(format!("the manifest's `otherwise` is `{otherwise}`; it must be `deny` or `standard`"));
    }
    reasons
}

/// One reason for all names of a list that the register does not have, with those that it has.
fn unknown(list: &str, names: &[String], knows: impl Fn(&str) -> bool, known: impl FnOnce() -> Vec<String>) -> Option<String> {
    let unknown = names.iter().filter(|name| !knows(name)).map(|name| quoted(name)).collect::<Vec<_>>();
    (!unknown.is_empty()).then(|| {
        let (unknown, known) = (unknown.join("`, `"), known().join("`, `"));
        format!("the manifest's `{list}` names `{unknown}`, which this server does not have; it has `{known}`")
    })
}

fn knows_pattern(pattern: &str) -> bool {
    register::actions().any(|action| register::covers(pattern, &action))
}

fn known_patterns() -> Vec<String> {
    std::iter::once("*".to_owned())
        .chain(Kind::ALL.into_iter().map(|kind| format!("{}.*", kind.name())))
        .chain(register::actions())
        .collect()
}

fn known_needs() -> Vec<String> {
    let columns = Kind::ALL.into_iter().flat_map(Kind::columns).map(|column| format!("rows.{}", column.name));
    distinct(CONTEXT_NEEDS.iter().map(|(name, _)| (*name).to_owned()).chain(columns))
}

fn known_fields() -> Vec<String> {
    distinct(Kind::ALL.into_iter().flat_map(Kind::fields).map(|field| (*field).to_owned()))
}

fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut distinct = Vec::new();
    for name in names {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Manifest {
            name: "example".into(),
            version: "1".into(),
            summary: "An example.".into(),
            needs: texts(&["rows.groups", "rows.attributes.team", "groups.key"]),
            decides: texts(&["user.*", "group.read"]),
            otherwise: "standard".into(),
            fields: texts(&["email", "user.phone", "attributes.*"]),
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_sound_manifest_has_nothing_against_it() {
        assert_eq!(manifest_reasons(&manifest()), Vec::<String>::new());
    }

    #[test]
    fn every_fault_of_a_manifest_is_named_with_what_is_known() {
        fn check(break_it: impl FnOnce(&mut Manifest), start: &str, known: &str) {
            let mut manifest = manifest();
            break_it(&mut manifest);
            let reasons = manifest_reasons(&manifest);
            assert_eq!(reasons.len(), 1, "{reasons:?}");
            assert!(reasons[0].starts_with(start) && reasons[0].contains(known), "{reasons:?}");
        }
        check(|it| it.name = " ".into(), "the manifest's `name` is empty", "people");
        check(|it| it.summary.push('\u{1b}'), "the manifest's `summary` has a control character", "one line");
        check(|it| it.name.push('\u{202e}'), "the manifest's `name` has the character U+202E", "leave it out");
        check(|it| it.decides.clear(), "the manifest's `decides` is empty", "`user.*`");
        check(|it| it.decides.push("user.fly".into()), "the manifest's `decides` names `user.fly`", "`user.suspend`");
        check(|it| it.needs.push("rows.salary".into()), "the manifest's `needs` names `rows.salary`", "`rows.shares-group`");
        check(|it| it.fields.push("salary".into()), "the manifest's `fields` names `salary`", "`displayName`");
        check(|it| it.otherwise = "allow".into(), "the manifest's `otherwise` is `allow`", "`deny` or `standard`");
    }
}
