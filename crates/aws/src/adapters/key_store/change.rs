//! What a rotation and a revocation make of a key: pure.

use eventpulse_core::device::key::{ApiKey, KeyState};
use eventpulse_core::time::Timestamp;

use super::{Key, KeyRefusal, MAX_REPLACED, Replaced};

/// The key with another secret, and those earlier secrets whose end is another now: the present one of `old`, and those
/// before it that would have outlived `until`.
pub(super) fn rotated(
    mut old: Key,
    secret: &ApiKey,
    now: Timestamp,
    until: Timestamp,
) -> Result<(Key, Vec<Replaced>), KeyRefusal> {
    if old.state == KeyState::Revoked {
        return Err(KeyRefusal::Conflict("this key is revoked, for good: create another".to_owned()));
    }
    let mut changed = Vec::new();
    old.replaced.retain(|replaced| now < replaced.valid_until);
    for replaced in old.replaced.iter_mut().filter(|replaced| until < replaced.valid_until) {
        replaced.valid_until = until;
        changed.push(replaced.clone());
    }
    let present = Replaced { hint: old.hint, valid_until: until, digest: old.digest };
    changed.push(present.clone());
    old.replaced.push(present);
    old.replaced.retain(|replaced| now < replaced.valid_until);
    if old.replaced.len() > MAX_REPLACED {
        return Err(KeyRefusal::Conflict(format!(
            "{MAX_REPLACED} replaced secrets of this key still work, which is as many as there may be: wait for the \
             first to end, or rotate with a `keep_old_seconds` of 0, which ends them all"
        )));
    }
    let key = Key { hint: secret.hint().to_owned(), digest: secret.digest(), revision: old.revision + 1, ..old };
    Ok((key, changed))
}

/// The key, taken back.
pub(super) fn revoked(old: Key, now: Timestamp) -> Key {
    Key { state: KeyState::Revoked, revoked_at: Some(now), revision: old.revision + 1, ..old }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventpulse_core::device::key::{KeyId, UsageKey, UsagePlan};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn key() -> Key {
        let secret = ApiKey::new([0; 32]);
        Key {
            key_id: KeyId::new(at(0), [0; 10]),
            owner: "u1".parse().unwrap(),
            name: None,
            plan: UsagePlan::Standard,
            state: KeyState::Active,
            hint: secret.hint().to_owned(),
            created_at: at(0),
            revoked_at: None,
            replaced: Vec::new(),
            digest: secret.digest(),
            usage_key: UsageKey::new([0; 20]),
            usage_key_id: "gw".to_owned(),
            revision: 1,
        }
    }

    fn ends(of: &[Replaced]) -> Vec<i64> {
        of.iter().map(|replaced| replaced.valid_until.as_micros() / 1_000_000).collect()
    }

    #[test]
    fn a_replaced_secret_ends_when_told_and_is_then_forgotten() {
        let (first, changed) = rotated(key(), &ApiKey::new([1; 32]), at(10), at(70)).unwrap();
        assert_eq!((ends(&first.replaced), ends(&changed), first.revision), (vec![70], vec![70], 2));
        assert_eq!(first.digest, ApiKey::new([1; 32]).digest());
        assert_eq!(changed[0].digest, ApiKey::new([0; 32]).digest());
        let (second, changed) = rotated(first.clone(), &ApiKey::new([2; 32]), at(20), at(200)).unwrap();
        assert_eq!((ends(&second.replaced), ends(&changed)), (vec![70, 200], vec![200]), "one does not gain time");
        let (third, changed) = rotated(second, &ApiKey::new([3; 32]), at(30), at(40)).unwrap();
        assert_eq!((ends(&third.replaced), ends(&changed)), (vec![40, 40, 40], vec![40, 40, 40]), "all lose it");
        let (fourth, changed) = rotated(third, &ApiKey::new([4; 32]), at(40), at(40)).unwrap();
        assert_eq!((ends(&fourth.replaced), ends(&changed)), (vec![], vec![40]), "what ended is forgotten");
    }

    #[test]
    fn so_many_old_secrets_and_no_more() {
        let mut now = key();
        for round in 0..MAX_REPLACED {
            now = rotated(now, &ApiKey::new([u8::try_from(round).unwrap(); 32]), at(1), at(1000)).unwrap().0;
        }
        let secret = ApiKey::new([99; 32]);
        assert!(matches!(rotated(now.clone(), &secret, at(2), at(1000)), Err(KeyRefusal::Conflict(_))));
        assert!(rotated(now.clone(), &secret, at(2), at(2)).is_ok(), "to end them all is always possible");
        assert!(rotated(now, &secret, at(1000), at(2000)).is_ok(), "they ended by themselves");
    }

    #[test]
    fn a_revoked_key_is_not_rotated() {
        let key = revoked(key(), at(5));
        assert_eq!((key.state, key.revoked_at, key.revision), (KeyState::Revoked, Some(at(5)), 2));
        assert!(matches!(rotated(key, &ApiKey::new([1; 32]), at(6), at(6)), Err(KeyRefusal::Conflict(_))));
    }
}
