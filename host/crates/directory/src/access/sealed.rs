//! The three types of the gate.

use crate::{ids::WorkspaceId, model::Epoch};

/// A row as stored, which nobody is yet cleared to read. Anyone may seal one; only the gate opens it.
///
/// ```
/// fn show(row: directory::Sealed<String>) { println!("{row:?}") }
/// ```
/// ```compile_fail,E0616
/// fn show(row: directory::Sealed<String>) { println!("{}", row.0) }
/// ```
/// ```
/// fn keep(row: directory::Sealed<String>) -> directory::Sealed<String> { row }
/// ```
/// ```compile_fail,E0599
/// fn keep(row: directory::Sealed<String>) -> directory::Sealed<String> { row.clone() }
/// ```
#[must_use]
pub struct Sealed<T>(T);

impl<T> Sealed<T> {
    /// Seals a row.
    pub const fn new(row: T) -> Self {
        Self(row)
    }

    /// The only way out, for the gate alone.
    pub(in crate::access) fn open(self) -> T {
        self.0
    }
}

impl<T> std::fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealed(..)")
    }
}

/// A row that the subject of one request may read, its withheld fields already gone.
///
/// ```
/// fn name(row: &directory::Visible<String>) -> &str { row }
/// ```
/// ```compile_fail,E0423
/// fn forge(name: String) -> directory::Visible<String> { directory::Visible(name) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visible<T>(T);

impl<T> Visible<T> {
    /// The only way in, for the gate alone.
    pub(in crate::access) const fn new(row: T) -> Self {
        Self(row)
    }
}

impl<T> std::ops::Deref for Visible<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Leave to make one particular change, once.
///
/// ```
/// fn spend(warrant: directory::Warrant<u8>) {
///     let _ = warrant.into_change();
/// }
/// ```
/// ```compile_fail,E0382
/// fn spend(warrant: directory::Warrant<u8>) {
///     let _ = warrant.into_change();
///     let _ = warrant.into_change();
/// }
/// ```
#[must_use]
#[derive(Debug)]
pub struct Warrant<C> {
    workspace: Option<WorkspaceId>,
    epoch: Option<Epoch>,
    change: C,
}

impl<C> Warrant<C> {
    /// For the gate alone. `epoch` is that of the facts on which the decision was taken; `None` where the operator decided.
    pub(in crate::access) const fn new(workspace: Option<WorkspaceId>, epoch: Option<Epoch>, change: C) -> Self {
        Self { workspace, epoch, change }
    }

    /// The workspace that may be changed; `None` for a change of the server itself, or of a workspace yet to be made.
    pub const fn workspace(&self) -> Option<WorkspaceId> {
        self.workspace
    }

    /// The authority epoch that must still hold when the change is written.
    pub const fn epoch(&self) -> Option<Epoch> {
        self.epoch
    }

    /// The change, to look at.
    pub const fn change(&self) -> &C {
        &self.change
    }

    /// The change, to be made.
    pub fn into_change(self) -> C {
        self.change
    }
}
