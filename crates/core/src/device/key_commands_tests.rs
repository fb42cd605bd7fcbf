use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn secret(number: u8) -> ApiKey {
    ApiKey::new([number; 32])
}

fn draft(active_keys: usize) -> Result<KeyDraft, KeyRefusal> {
    let random = KeyRandom { id: [0; 10], secret: [0; 32], usage: [0; 20] };
    create(&"u1".parse().unwrap(), Some("north"), UsagePlan::Fast, active_keys, at(0), &random)
}

fn key() -> Key {
    draft(0).unwrap().complete("gw".to_owned()).0.key
}

/// The ends of the replaced secrets, in seconds.
fn ends(key: &Key) -> Vec<i64> {
    key.replaced.iter().map(|replaced| replaced.valid_until.as_micros() / 1_000_000).collect()
}

/// The ends of the secrets to write, in seconds; `None` for the current secret.
fn written_ends(change: &KeyChange) -> Vec<Option<i64>> {
    change.secrets.iter().map(|secret| secret.valid_until.map(|until| until.as_micros() / 1_000_000)).collect()
}

#[test]
fn given_fewer_keys_than_the_limit_when_created_then_the_key_and_its_secret_are_written() {
    let (change, shown) = draft(MAX_ACTIVE_KEYS - 1).unwrap().complete("gw".to_owned());
    assert_eq!(change.secrets, [SecretState { digest: shown.digest(), valid_until: None }]);
    let key = change.key;
    assert_eq!((key.state, key.revision, key.name.as_deref()), (KeyState::Active, 1, Some("north")));
    assert_eq!((key.digest, key.hint.as_str(), key.usage_key_id.as_str()), (shown.digest(), shown.hint(), "gw"));
}

#[test]
fn given_as_many_keys_as_the_limit_when_created_then_it_is_refused() {
    assert_eq!(draft(MAX_ACTIVE_KEYS).unwrap_err(), KeyRefusal::TooManyActiveKeys);
}

#[test]
fn given_an_active_key_when_rotated_then_the_replaced_secret_ends_in_time() {
    let first = rotate(key(), &secret(1), at(10), seconds(60)).unwrap();
    assert_eq!((ends(&first.key), written_ends(&first), first.key.revision), (vec![70], vec![None, Some(70)], 2));
    assert_eq!(first.key.digest, secret(1).digest());
    assert_eq!(first.secrets[0].digest, secret(1).digest());
    assert_eq!(first.secrets[1].digest, secret(0).digest());

    let second = rotate(first.key, &secret(2), at(20), seconds(180)).unwrap();
    assert_eq!((ends(&second.key), written_ends(&second)), (vec![70, 200], vec![None, Some(200)]), "none gains time");

    let third = rotate(second.key, &secret(3), at(30), seconds(10)).unwrap();
    let written = vec![None, Some(40), Some(40), Some(40)];
    assert_eq!((ends(&third.key), written_ends(&third)), (vec![40, 40, 40], written), "all lose time");

    let fourth = rotate(third.key, &secret(4), at(40), Duration::ZERO).unwrap();
    assert_eq!((ends(&fourth.key), written_ends(&fourth)), (vec![], vec![None, Some(40)]), "ended secrets are dropped");
}

#[test]
fn given_as_many_replaced_secrets_as_the_limit_when_rotated_then_it_is_refused() {
    let mut full = key();
    for number in 0..MAX_REPLACED {
        full = rotate(full, &secret(u8::try_from(number).unwrap()), at(1), seconds(999)).unwrap().key;
    }
    for (name, now, overlap, is_allowed) in
        [("with an overlap", 2, 998, false), ("ending them all", 2, 0, true), ("after their ends", 1000, 1000, true)]
    {
        let rotated = rotate(full.clone(), &secret(99), at(now), seconds(overlap));
        let expected = if is_allowed { None } else { Some(KeyRefusal::TooManyReplacedSecrets) };
        assert_eq!(rotated.err(), expected, "{name}");
    }
}

#[test]
fn given_working_secrets_when_revoked_then_all_of_them_are_written() {
    let first = rotate(key(), &secret(1), at(10), seconds(10)).unwrap().key;
    let second = rotate(first, &secret(2), at(15), seconds(60)).unwrap().key;
    let change = revoke(second, at(30)).unwrap();
    let key = &change.key;
    assert_eq!((key.state, key.revoked_at, key.revision), (KeyState::Revoked, Some(at(30)), 4));
    assert_eq!(written_ends(&change), [None, Some(75)], "the secret that ended at 20 stays as it is");
}

#[test]
fn given_a_revoked_key_when_rotated_or_revoked_then_nothing_changes() {
    let revoked = revoke(key(), at(5)).unwrap().key;
    assert_eq!(rotate(revoked.clone(), &secret(1), at(6), Duration::ZERO).unwrap_err(), KeyRefusal::Revoked);
    assert_eq!(revoke(revoked, at(6)), None);
}
