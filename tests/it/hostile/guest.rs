//! The guest that behaves, as text, and the ways to change one function of it.

use directory::contract::{Manifest, RowFilter, Term, Test, Verdict, Verdicts};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::image::{BASE, Image};

/// The contract.
pub(crate) const WIT: &str = include_str!("../../../wit/policy.wit");

/// Where the guest keeps the record that `check` answers with.
const ANSWER: u32 = 16;
/// Offsets in the arguments of `scope` and `check`: the length of the settings, and of `check` alone, the number of rows.
const SETTINGS_LEN: u32 = 20;
/// Likewise of both: the length of the subject's kind, in how many groups it is, and how many permissions it has in the whole workspace.
pub(crate) const SUBJECT_KIND_LEN: u32 = 28;
pub(crate) const GROUPS_LEN: u32 = 36;
pub(crate) const PERMISSIONS_LEN: u32 = 60;
const ROWS_LEN: u32 = 144;

/// A guest, function by function. The bodies are WebAssembly text and leave an address on the stack.
///
/// `scope` and `check` have the address of their arguments as `$arguments`; `validate_settings` has `$settings` and `$len`.
/// `$allocate` takes bytes and returns an address; `$answer` takes a table, its length and a number of rows, and returns the
/// address of an answer in which every row has the first verdict.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    pub describe: String,
    pub validate_settings: String,
    pub scope: String,
    pub check: String,
    /// The body of `cabi_realloc`, whose last parameter is `$bytes`.
    pub realloc: String,
    /// Further imports, in front of everything.
    pub imports: String,
    /// Further fields of the module.
    pub further: String,
    pub memory: String,
    pub image: Image,
    pub wit: String,
}

/// The part of a guest that misbehaves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    Scope,
    Check,
}

impl Guest {
    /// Allows everything, and decides about users and groups.
    pub(crate) fn new() -> Self {
        let mut image = Image::default();
        let describe = constant(image.manifest(&manifest()));
        let scope = constant(image.row_filter(&everything()));
        let validate_settings = constant(image.settings(None));
        let verdict = Verdict { allow: true, reason: "everybody may".into(), ..Verdict::default() };
        let [table, len] = image.table(&[verdict]);
        let rows = rows_len();
        Self {
            describe,
            validate_settings,
            scope,
            check: format!("(call $answer (i32.const {table}) (i32.const {len}) {rows})"),
            realloc: "(call $allocate (local.get $bytes))".into(),
            imports: String::new(),
            further: String::new(),
            memory: "(memory (export \"memory\") 2)".into(),
            image,
            wit: WIT.into(),
        }
    }

    /// The guest whose `part` does `body` instead.
    pub(crate) fn with(mut self, part: Part, body: &str) -> Self {
        *self.part(part) = body.into();
        self
    }

    /// The guest whose `part` does `body` instead, but only when its settings are not empty.
    pub(crate) fn armed(mut self, part: Part, body: &str) -> Self {
        let behave = std::mem::take(self.part(part));
        let armed = format!("(i32.load offset={SETTINGS_LEN} (local.get $arguments))");
        *self.part(part) = format!("(if (result i32) {armed} (then {body}) (else {behave}))");
        self
    }

    /// The guest that describes itself otherwise.
    pub(crate) fn describing(mut self, change: impl FnOnce(&mut Manifest)) -> Self {
        let mut manifest = manifest();
        change(&mut manifest);
        self.describe = constant(self.image.manifest(&manifest));
        self
    }

    /// The guest with further fields in its module.
    pub(crate) fn and(mut self, further: &str) -> Self {
        self.further.push_str(further);
        self
    }

    /// A body that answers `filter`.
    pub(crate) fn filter(&mut self, filter: &RowFilter) -> String {
        constant(self.image.row_filter(filter))
    }

    /// A body that answers `verdicts`, whatever was asked.
    pub(crate) fn verdicts(&mut self, verdicts: &Verdicts) -> String {
        constant(self.image.verdicts(verdicts))
    }

    /// A body that gives every row the first verdict of `table`.
    pub(crate) fn table(&mut self, table: &[Verdict]) -> String {
        let [table, len] = self.image.table(table);
        format!("(call $answer (i32.const {table}) (i32.const {len}) {})", rows_len())
    }

    /// The core module, without the contract's metadata.
    pub(super) fn core(&self) -> Vec<u8> {
        wat::parse_str(self.text()).unwrap()
    }

    /// The core module as wit-bindgen would leave it.
    pub(crate) fn module(&self) -> Vec<u8> {
        let mut resolve = Resolve::default();
        let package = resolve.push_source("policy.wit", &self.wit).unwrap();
        let world = resolve.select_world(&[package], Some("policy")).unwrap();
        let mut module = self.core();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        module
    }

    /// The component.
    pub(crate) fn component(&self) -> Vec<u8> {
        ComponentEncoder::default().module(&self.module()).unwrap().encode().unwrap()
    }

    fn part(&mut self, part: Part) -> &mut String {
        match part {
            Part::Scope => &mut self.scope,
            Part::Check => &mut self.check,
        }
    }

    fn text(&self) -> String {
        let Self { describe, validate_settings, scope, check, realloc, imports, further, memory, image, wit } = self;
        let decide = if wit.contains("bailiwick:policy@1.0.0") { "1.0.0" } else { "0.9.0" };
        let decide = format!("bailiwick:policy/decide@{decide}");
        let data = image.bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
        let heap = BASE as usize + image.bytes.len().next_multiple_of(8);
        let check = if wit.contains("check: func") {
            format!("(func (export \"{decide}#check\") (param $arguments i32) (result i32) {check})")
        } else {
            String::new()
        };
        format!(
            "(module
               {imports}
               {memory}
               (data (i32.const {BASE}) \"{data}\")
               (global $heap (mut i32) (i32.const {heap}))
               (func $allocate (param $bytes i32) (result i32) (local $address i32)
                 (local.set $address (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
                 (global.set $heap (i32.add (local.get $address) (local.get $bytes)))
                 (block $fits
                   (br_if $fits (i32.le_u (global.get $heap) (i32.shl (memory.size) (i32.const 16))))
                   (drop (memory.grow (i32.add (i32.shr_u (local.get $bytes) (i32.const 16)) (i32.const 1)))))
                 (local.get $address))
               (func $answer (param $table i32) (param $len i32) (param $rows i32) (result i32)
                 (i32.store (i32.const {ANSWER}) (local.get $table))
                 (i32.store offset=4 (i32.const {ANSWER}) (local.get $len))
                 (i32.store offset=8 (i32.const {ANSWER}) (call $allocate (i32.shl (local.get $rows) (i32.const 2))))
                 (i32.store offset=12 (i32.const {ANSWER}) (local.get $rows))
                 (i32.const {ANSWER}))
               (func (export \"cabi_realloc\") (param i32 i32 i32) (param $bytes i32) (result i32) {realloc})
               (func (export \"{decide}#describe\") (result i32) {describe})
               (func (export \"{decide}#validate-settings\") (param $settings i32) (param $len i32) (result i32)
                 {validate_settings})
               (func (export \"{decide}#scope\") (param $arguments i32) (result i32) {scope})
               {check}
               {further})"
        )
    }
}

/// What the guest that behaves says of itself.
pub(super) fn manifest() -> Manifest {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Manifest {
        name: "lenient".into(),
        version: "1".into(),
        summary: "Everybody may do everything.".into(),
        needs: texts(&["rows.self", "rows.groups"]),
        decides: texts(&["user.*", "group.read"]),
        otherwise: "deny".into(),
        fields: texts(&["displayName", "email"]),
        notes: Vec::new(),
    }
}

/// A filter of one clause with that one term.
pub(super) fn filter_of(term: Term) -> RowFilter {
    RowFilter { any_of: vec![vec![term]], ..everything() }
}

/// The term that `name` holds of `groups`.
pub(super) fn term(name: &str, groups: &[u32]) -> Term {
    Term { negate: false, test: Test { name: name.into(), groups: groups.into(), values: Vec::new() } }
}

/// The body that loads how many rows were asked about.
pub(crate) fn rows_len() -> String {
    format!("(i32.load offset={ROWS_LEN} (local.get $arguments))")
}

fn everything() -> RowFilter {
    RowFilter { any_of: vec![Vec::new()], exact: true, searchable: vec!["*".into()], reason: "everybody may".into(), notes: Vec::new() }
}

fn constant(address: u32) -> String {
    format!("(i32.const {address})")
}
