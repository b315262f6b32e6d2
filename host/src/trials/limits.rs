//! Every bound of policy tests, units in the names. Those on what is kept and told are the directory's.

use std::time::Duration;

/// People of a file.
pub(super) const PEOPLE: usize = 1_000;
/// Groups of a file.
pub(super) const GROUPS: usize = 1_000;
/// Roles of a file, the built-in ones included.
pub(super) const ROLES: usize = 100;
/// Memberships of a file, and grants, each.
pub(super) const EDGES: usize = 10_000;
/// Expectations of a file: cells of matrices, and lists.
pub(super) const EXPECTATIONS: usize = 10_000;
/// Characters of the input that a mistake quotes.
pub(super) const QUOTED_CHARS: usize = 64;
/// Trials at once: each holds sandboxes that requests want, too.
pub(super) const AT_ONCE: usize = 2;
/// Time that a trial waits for its turn: with [`TIME`], less than a gate of activations has, so that it says itself what keeps it.
pub(super) const TURN_TIME: Duration = Duration::from_secs(4);
/// Time that a trial may take.
pub(super) const TIME: Duration = Duration::from_secs(20);
