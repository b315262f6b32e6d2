//! What a module says of itself.

use crate::Manifest;

impl Manifest {
    /// Needs, decides and knows nothing yet; what it does not decide is denied.
    #[must_use]
    pub fn named(name: &str, version: &str, summary: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            summary: summary.to_owned(),
            otherwise: "deny".to_owned(),
            ..Self::default()
        }
    }

    /// The columns to be filled: `rows.COLUMN`, `groups.key`, `roles.key`, `roles.permissions`.
    #[must_use]
    pub fn needs(mut self, needs: &[&str]) -> Self {
        self.needs = owned(needs);
        self
    }

    /// The actions it decides: `user.read`, `group.*`.
    #[must_use]
    pub fn decides(mut self, patterns: &[&str]) -> Self {
        self.decides = owned(patterns);
        self
    }

    /// Leaves every other action to the standard policy.
    #[must_use]
    pub fn otherwise_standard(mut self) -> Self {
        self.otherwise = "standard".to_owned();
        self
    }

    /// The governed fields it knows, as `kind.field`; every other one is withheld.
    #[must_use]
    pub fn fields(mut self, fields: &[&str]) -> Self {
        self.fields = owned(fields);
        self
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}
