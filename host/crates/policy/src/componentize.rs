//! Turns a core module that was built with wit-bindgen into a component: what `wasm-tools component new` does, so that authors
//! need no further tool.

use wit_component::{ComponentEncoder, metadata};

use crate::{guest::shortened, limits};

/// The component around a core module, or the reason why there is none.
pub(crate) fn componentize(module: &[u8]) -> Result<Vec<u8>, String> {
    let refused = |why: &str| {
        let why = shortened(why, limits::TEXT_BYTES);
        format!(
            "the core module cannot become a component: {why}; build it with wit-bindgen against `bailiwick:policy@1.0.0` for \
             `wasm32-unknown-unknown`, or upload a component"
        )
    };
    let (described, _) = metadata::decode(module).map_err(|error| refused(&format!("{error:#}")))?;
    if described.is_none() {
        return Err(refused("it does not say which contract it was built against"));
    }
    let encoded = ComponentEncoder::default().validate(true).module(module).and_then(|mut encoder| encoder.encode());
    encoded.map_err(|error| refused(&format!("{error:#}")))
}
