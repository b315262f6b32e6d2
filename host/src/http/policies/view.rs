//! What the gate shows of policies, as JSON.

use directory::{
    access::{ActivePolicy, CheckedTests, Upload},
    model::{PolicyModule, PolicyTests, PolicyVersion},
};
use serde_json::{Map, Value, json};

use super::STANDARD;
use crate::{policy_history::instant, trials::report_json};

/// `is_core_module`: the server has turned it into a component.
pub(super) fn upload(upload: &Upload, is_core_module: bool) -> Value {
    json!({
        "id": upload.id.to_string(),
        "digest": upload.digest.to_string(),
        "status": upload.status.name(),
        "coreModule": is_core_module,
        "reasons": upload.reasons,
        "tests": upload.tests.as_ref().map(report_json),
    })
}

pub(super) fn tests(tests: &PolicyTests) -> Value {
    json!({
        "text": tests.text,
        "version": tests.version.0,
        "changedBy": tests.changed.and_then(|change| change.by).map(|user| user.to_string()),
        "changedAt": tests.changed.and_then(|change| instant(change.at)),
    })
}

pub(super) fn checked(checked: CheckedTests) -> Value {
    json!({ "version": checked.version.0, "expectations": checked.expectations })
}

pub(super) fn active(active: &ActivePolicy) -> Value {
    let mut view = version(&active.version);
    let manifest = active.manifest.as_ref().map(|manifest| json!({ "name": manifest.name, "version": manifest.version }));
    if let Value::Object(fields) = &mut view {
        fields.insert("manifest".to_owned(), manifest.into());
    }
    view
}

/// Versions and modules, as they are listed.
pub(crate) fn listed<'a>(
    versions: impl Iterator<Item = &'a PolicyVersion>,
    modules: impl Iterator<Item = &'a PolicyModule>,
) -> Map<String, Value> {
    [("versions", versions.map(version).collect::<Value>()), ("modules", modules.map(module).collect())]
        .map(|(name, rows)| (name.to_owned(), rows))
        .into_iter()
        .collect()
}

pub(super) fn version(version: &PolicyVersion) -> Value {
    json!({
        "id": version.id.to_string(),
        "number": version.number,
        "module": version.module.map_or_else(|| STANDARD.to_owned(), |module| module.to_string()),
        "digest": version.digest.unwrap_or(version.standard).to_string(),
        "settings": version.settings,
        "standardDigest": version.standard.to_string(),
        "standardSettings": version.standard_settings,
        "activatedBy": version.activated_by.map(|user| user.to_string()),
        "activatedAt": instant(version.activated_at),
        "repeats": version.repeats.map(|version| version.to_string()),
        "note": version.note,
    })
}

pub(super) fn module(module: &PolicyModule) -> Value {
    json!({
        "id": module.id.to_string(),
        "digest": module.digest.to_string(),
        "name": module.name,
        "version": module.version,
        "status": module.status.name(),
        "reasons": module.reasons,
        "bytes": module.size,
        "uploadedBy": module.uploaded_by.map(|user| user.to_string()),
        "uploadedAt": instant(module.uploaded_at),
        "note": module.note,
    })
}
