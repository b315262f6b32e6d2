//! Guests that mean harm, or only fail in every way we could think of.
//!
//! Each one differs in one function from a guest that behaves. Uploaded as it is, it is refused with a reason; armed, so that
//! it only fails once its settings are not empty, it gets past the upload and fails a request, with a failure and no answer.
//! After each the same sandbox still serves the guest that behaves. `docs/sandbox.md` has a row for each; to add one, name it
//! ([`table::named`]) and write its row.

mod calls;
mod compiling;
mod facts;
pub(crate) mod guest;
mod image;
mod lies;
mod serve;
mod shares;
pub(crate) mod table;
mod uploads;
mod wasi;

pub(crate) use facts::sandbox;
