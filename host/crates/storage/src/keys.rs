//! Stored keys: the folded texts that columns named `*_key` hold, by which texts are compared and sorted in both databases.
//!
//! An assigned text is stored behind `0`, an unassigned one as a bare `1`: both sort as they should, and none is null.

use directory::text::fold;

use crate::limits;

/// What is stored for an unassigned text.
pub(crate) const UNASSIGNED: &str = "1";

/// The key of a text that is indexed.
pub(crate) fn key(text: Option<&str>) -> String {
    text.map_or_else(|| UNASSIGNED.to_owned(), |text| key_of_folded(&fold(text)))
}

/// The key of a text that is already folded.
pub(crate) fn key_of_folded(folded: &str) -> String {
    format!("0{}", capped(folded))
}

/// The key of a text that stands in no index and so may be long.
pub(crate) fn long_key(text: Option<&str>) -> String {
    text.map_or_else(|| UNASSIGNED.to_owned(), |text| format!("0{}", fold(text)))
}

/// The folded text of an assigned key.
pub(crate) fn folded(key: &str) -> &str {
    key.get(1..).unwrap_or_default()
}

/// A folded text cut to what an index entry holds.
pub(crate) fn capped(folded: &str) -> &str {
    folded.get(..folded.floor_char_boundary(limits::KEY_BYTES)).unwrap_or(folded)
}
