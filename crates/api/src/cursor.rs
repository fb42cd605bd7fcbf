//! Cursors: authenticated positions in a list. A client cannot create or change one, or use that of another owner.
//!
//! `base64url(tag ‖ position)`; the tag is HMAC-SHA256 over the owner, the list with its filters, and the position.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Half of HMAC-SHA256: 128 bits, as [RFC 2104](https://www.rfc-editor.org/rfc/rfc2104#section-5) allows.
const TAG_BYTES: usize = 16;

/// The key and the context that authenticate a cursor.
#[derive(Clone, Copy)]
pub struct Seal<'a> {
    /// The secret key of the deployment.
    pub key: &'a str,
    /// The owner.
    pub owner: &'a str,
    /// The name of the list.
    pub list: &'a str,
    /// The filters of the list, in a fixed order. The page size may change between pages.
    pub filters: &'a [Option<&'a str>],
}

impl Seal<'_> {
    /// Creates the cursor of a position.
    #[must_use]
    pub fn close(&self, position: &str) -> String {
        let tag = self.mac(position).finalize().into_bytes();
        let sealed: Vec<u8> = tag.iter().take(TAG_BYTES).copied().chain(position.bytes()).collect();
        BASE64_URL_SAFE_NO_PAD.encode(sealed)
    }

    /// Returns the position of a cursor, or `None` if [`Seal::close`] did not create it for the same owner, list and
    /// filters.
    #[must_use]
    pub fn open(&self, cursor: &str) -> Option<String> {
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (tag, position) = sealed.split_at_checked(TAG_BYTES)?;
        let position = std::str::from_utf8(position).ok()?;
        self.mac(position).verify_truncated_left(tag).ok()?;
        Some(position.to_owned())
    }

    /// Returns the MAC over all parts. The length before each part keeps different lists of parts apart.
    fn mac(&self, position: &str) -> Hmac<Sha256> {
        let Self { key, owner, list, filters } = self;
        // HMAC accepts keys of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap_or_else(|_| Hmac::new(&Default::default()));
        let mut part = |text: Option<&str>| {
            mac.update(&text.map_or(u64::MAX, |text| text.len() as u64).to_be_bytes());
            mac.update(text.unwrap_or_default().as_bytes());
        };
        part(Some(owner));
        part(Some(list));
        filters.iter().copied().for_each(&mut part);
        part(Some(position));
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEAL: Seal<'_> =
        Seal { key: "0123456789abcdef0123456789abcdef", owner: "u1", list: "uploads", filters: &[None, Some("x")] };

    #[test]
    fn cursor_opens_only_for_its_owner_list_and_filters() {
        for position in ["", "2025-02-28T12:00:00.000000Z#up_1", "é#☃\u{0}"] {
            let cursor = SEAL.close(position);
            assert_eq!(SEAL.open(&cursor).as_deref(), Some(position));
            let others = [
                Seal { key: "another key of another deployment", ..SEAL },
                Seal { owner: "u2", ..SEAL },
                Seal { list: "quarantine", ..SEAL },
                Seal { filters: &[Some("x"), None], ..SEAL },
                Seal { filters: &[None], ..SEAL },
                Seal { filters: &[], ..SEAL },
            ];
            for other in others {
                assert_eq!(other.open(&cursor), None, "{} {} {:?}", other.owner, other.list, other.filters);
            }
        }
    }

    #[test]
    fn changed_cursor_does_not_open() {
        let cursor = SEAL.close("2025#up_1");
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(&cursor).unwrap();
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert_eq!(SEAL.open(&BASE64_URL_SAFE_NO_PAD.encode(changed)), None, "byte {index}");
        }
        for length in 0..cursor.len() {
            assert_eq!(SEAL.open(&cursor[..length]), None, "{length} characters");
        }
        for garbage in ["", "garbage", "====", "ä", &"A".repeat(5_000)] {
            assert_eq!(SEAL.open(garbage), None, "{garbage}");
        }
    }
}
