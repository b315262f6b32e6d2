//! Guests that mean harm, or only fail in every way we could think of.
//!
//! Each one differs in one function from a guest that behaves. Uploaded as it is, it is refused with a reason; armed, so that
//! it only fails once its settings are not empty, it gets past the upload and fails a request, with a failure and no answer.
//! After each the same sandbox still serves the guest that behaves.

mod calls;
mod compiling;
mod facts;
pub(crate) mod guest;
mod image;
mod serve;
mod uploads;
mod wasi;

pub(crate) use facts::sandbox;
