//! The author's kit: everything between the contract's columns and a policy that reads like a table.
//!
//! A policy is a type that implements [`Policy`]. For reads it writes a [`Table`]: an ordered list of rules, each a reason, the
//! [`Term`]s that must hold and the fields withheld. The kit answers both of the contract's questions from that one list, so that
//! `scope` and `check` cannot disagree:
//!
//! ```
//! use policy_kit::{Ask, Change, Manifest, Policy, RowFilter, Rows, Table, Verdicts, settings, term};
//!
//! struct Colleagues;
//!
//! const FIELDS: &[&str] = &["user.userName", "user.displayName", "user.email"];
//!
//! /// Who sees whom, most generous rule first.
//! fn people(ask: &Ask<'_>) -> Table {
//!     let mut table = Table::new("user", FIELDS);
//!     table.allow("this is you", [term::is("self")]);
//!     table.allow("shares your group", [term::shares_group(ask), term::status("active")]).without(&["email"]);
//!     table
//! }
//!
//! impl Policy for Colleagues {
//!     fn manifest() -> Manifest {
//!         Manifest::named("colleagues", "1.0.0", "Colleagues see each other, without addresses.")
//!             .needs(&["rows.self", "rows.shares-group", "rows.status"])
//!             .decides(&["user.read"])
//!             .otherwise_standard()
//!             .fields(FIELDS)
//!     }
//!     fn validate(settings: &str) -> Result<(), Vec<String>> {
//!         settings::none(settings)
//!     }
//!     fn scope(ask: &Ask<'_>, _kind: &str) -> RowFilter {
//!         people(ask).filter()
//!     }
//!     fn check(ask: &Ask<'_>, rows: &Rows, _change: Option<&Change>) -> Verdicts {
//!         people(ask).verdicts(ask, rows)
//!     }
//! }
//!
//! policy_kit::export!(Colleagues);
//! # fn main() {}
//! ```
//!
//! Everything compiles natively too, so that a policy's tests are ordinary `cargo test`s over a [`testing::World`].
//!
//! Nothing here may panic on what the host sends: a column that is missing or malformed makes the terms over it false, negated or
//! not, and a row that no rule admits is denied. To add a test of the register, add it to [`term`] and to `evaluate::source`.

// The generated code and the macro below name this crate from the outside.
extern crate self as policy_kit;

mod answer;
mod ask;
#[doc(hidden)]
pub mod bindings;
mod columns;
mod evaluate;
mod filter;
mod groups;
mod manifest;
mod mask;
pub mod settings;
mod table;
pub mod term;
#[cfg(feature = "testing")]
pub mod testing;

#[doc(hidden)]
pub use wit_bindgen;

pub use answer::Answer;
pub use ask::Ask;
pub use bindings::bailiwick::policy::types::{
    Change, Column, Context, Fact, Held, Manifest, NumberColumn, Party, RowFilter, Rows, Subject, Test, Verdict, Verdicts,
};
pub use columns::{Flags, Instants, Positions, Text, Texts};
pub use evaluate::{Evaluator, Vocabulary, computable};
pub use groups::{PositionSet, Tree};
pub use mask::Mask;
pub use table::{Rule, Table};
pub use term::Term;

/// "Unassigned" in a [`Column`], and "the whole workspace" in [`Held::within`].
pub const UNASSIGNED: u32 = u32::MAX;

/// "Unassigned" in a [`NumberColumn`].
pub const UNASSIGNED_NUMBER: i64 = i64::MIN;

/// A policy: the four questions of the contract, with the facts parsed.
pub trait Policy {
    /// What the module is, needs, decides and knows.
    fn manifest() -> Manifest;

    /// Whether the settings are acceptable; [`settings::Reader`] writes the errors.
    ///
    /// # Errors
    /// Every problem at once, each naming key, value, rule and remedy.
    fn validate(settings: &str) -> Result<(), Vec<String>>;

    /// Which rows of `kind` a list may contain.
    fn scope(ask: &Ask<'_>, kind: &str) -> RowFilter;

    /// One verdict for each of `rows`.
    fn check(ask: &Ask<'_>, rows: &Rows, change: Option<&Change>) -> Verdicts;
}

/// Answers the contract's calls with a [`Policy`]; what [`export!`] exports.
#[doc(hidden)]
#[derive(Debug)]
pub struct Guest<P>(std::marker::PhantomData<P>);

impl<P: Policy> bindings::exports::bailiwick::policy::decide::Guest for Guest<P> {
    fn describe() -> Manifest {
        P::manifest()
    }

    fn validate_settings(settings: String) -> Result<(), Vec<String>> {
        P::validate(&settings)
    }

    fn scope(context: Context, kind: String) -> RowFilter {
        P::scope(&Ask::new(&context), &kind)
    }

    fn check(context: Context, rows: Rows, change: Option<Change>) -> Verdicts {
        P::check(&Ask::new(&context), &rows, change.as_ref())
    }
}

/// Makes a [`Policy`] the one that this crate's component exports.
///
/// Native builds export nothing, so that any number of policies can be linked into one test or benchmark.
#[macro_export]
macro_rules! export {
    ($policy:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exported = $crate::Guest<$policy>;
    $crate::bindings::export_component!(Exported with_types_in $crate::bindings);
        };
    };
}
