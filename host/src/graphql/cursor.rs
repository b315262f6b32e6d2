//! Cursors: encrypted, since a position may name a row or a sort key that the caller must not read.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use directory::{Error, ids::WorkspaceId, query::Keyset};
use uuid::Uuid;

/// Plain texts are padded to a multiple of this, so that a cursor's length does not tell that of a hidden name.
const PADDING: usize = 64;
/// Characters of the longest cursor that is looked at.
const CURSOR_CHARS: usize = 4_096;

/// Encrypts positions. The same position always gives the same cursor, so that clients may compare and cache them.
#[derive(Clone)]
pub struct Cursors {
    cipher: XChaCha20Poly1305,
    nonces: [u8; 32],
}

impl Cursors {
    /// Cursors under a server's secret. Every host of a server must have the same.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        let key = blake3::derive_key("bailiwick cursors key", secret);
        Self { cipher: XChaCha20Poly1305::new(&key.into()), nonces: blake3::derive_key("bailiwick cursors nonce", secret) }
    }

    /// A position of one list of one workspace. `list` names kind and order: a cursor is of use there only.
    pub(super) fn seal(&self, workspace: WorkspaceId, list: &str, keyset: &Keyset) -> String {
        let mut plain = keyset.id.as_bytes().to_vec();
        plain.extend_from_slice(keyset.key.as_bytes());
        plain.push(0x80);
        plain.resize(plain.len().next_multiple_of(PADDING), 0);
        let context = context(workspace, list);
        let nonce = self.nonce(&context, &plain);
        let sealed = self.cipher.encrypt(XNonce::from_slice(&nonce), Payload { msg: &plain, aad: &context });
        // Encryption fails only past 256 GiB.
        let mut cursor = nonce.to_vec();
        cursor.extend(sealed.unwrap_or_default());
        URL_SAFE_NO_PAD.encode(cursor)
    }

    /// The position that [`Cursors::seal`] sealed for the same list.
    ///
    /// # Errors
    /// [`Error::Invalid`] for anything else.
    pub(super) fn open(&self, workspace: WorkspaceId, list: &str, cursor: &str) -> Result<Keyset, Error> {
        let open = || {
            let bytes = URL_SAFE_NO_PAD.decode(cursor).ok().filter(|_| cursor.len() <= CURSOR_CHARS)?;
            let (nonce, sealed) = bytes.split_at_checked(24)?;
            let payload = Payload { msg: sealed, aad: &context(workspace, list) };
            let plain = self.cipher.decrypt(XNonce::from_slice(nonce), payload).ok()?;
            let end = plain.iter().rposition(|byte| *byte == 0x80)?;
            let (id, key) = plain.get(..end)?.split_at_checked(16)?;
            Some(Keyset { id: Uuid::from_slice(id).ok()?, key: String::from_utf8(key.to_vec()).ok()? })
        };
        open().ok_or_else(|| {
            let shown: String = cursor.chars().take(64).collect();
            Error::Invalid(format!("`{shown}` is no cursor of this list in this order; start without one"))
        })
    }

    /// A synthetic nonce: repeats only for the same text in the same context.
    fn nonce(&self, context: &[u8], plain: &[u8]) -> [u8; 24] {
        let mut nonce = [0; 24];
        let mut hasher = blake3::Hasher::new_keyed(&self.nonces);
        hasher.update(&context.len().to_le_bytes()).update(context).update(plain);
        hasher.finalize_xof().fill(&mut nonce);
        nonce
    }
}

fn context(workspace: WorkspaceId, list: &str) -> Vec<u8> {
    [workspace.0.as_bytes(), list.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_opens_in_its_own_list_only() {
        let cursors = Cursors::new(&[7; 32]);
        let (here, there) = (WorkspaceId(Uuid::from_u128(1)), WorkspaceId(Uuid::from_u128(2)));
        for key in ["", "0zoë", &"x".repeat(1_000)] {
            let keyset = Keyset { key: key.to_owned(), id: Uuid::from_u128(42) };
            let cursor = cursors.seal(here, "users:id", &keyset);
            assert_eq!(cursor, cursors.seal(here, "users:id", &keyset));
            assert_eq!(cursors.open(here, "users:id", &cursor).unwrap(), keyset);
            assert!(cursors.open(there, "users:id", &cursor).is_err());
            assert!(cursors.open(here, "users:email", &cursor).is_err());
            assert!(cursors.open(here, "users:id", &cursor[..cursor.len() - 2]).is_err());
        }
        assert!(cursors.open(here, "users:id", "").is_err());
    }

    #[test]
    fn names_of_different_length_give_cursors_of_the_same_length() {
        let cursors = Cursors::new(&[7; 32]);
        let length = |key: &str| {
            let keyset = Keyset { key: key.to_owned(), id: Uuid::nil() };
            cursors.seal(WorkspaceId(Uuid::nil()), "users:id", &keyset).len()
        };
        assert_eq!(length("0al"), length("0alexandra the great"));
    }
}
