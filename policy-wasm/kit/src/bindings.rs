//! The contract's types and the export glue, generated from `wit/policy.wit` once for every policy.

wit_bindgen::generate!({
    path: "../../wit",
    world: "policy",
    pub_export_macro: true,
    export_macro_name: "export_component",
    default_bindings_module: "policy_kit::bindings",
    runtime_path: "policy_kit::wit_bindgen::rt",
    additional_derives: [PartialEq, Eq, Default],
});
