//! Values that a policy governs.

/// A governed value. Withheld is not empty: whoever writes back what they read must not erase what they could not see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field<T> {
    /// The subject may see it.
    Shown(T),
    /// The policy withholds it.
    Withheld,
}

impl<T> Field<T> {
    /// The value, if it is shown.
    pub const fn shown(&self) -> Option<&T> {
        match self {
            Self::Shown(value) => Some(value),
            Self::Withheld => None,
        }
    }
}

/// A governed text that may be unassigned.
pub type TextField = Field<Option<String>>;

/// The custom attributes of a user or group: `(name, values)` in the order of their names; only assigned ones.
///
/// A withheld attribute is removed, and its name kept in `withheld` of the row.
pub type Attributes = Vec<(String, Vec<String>)>;
