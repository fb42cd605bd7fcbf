//! Precedence among the messages of a batch: of those with the same `Idempotency-Key`, the first acknowledged one gets the
//! key, in whatever order the queue delivers them.

use std::collections::HashMap;

use crate::id::{OwnerId, UploadId};
use crate::time::Timestamp;

/// The place of a message among the others. Messages acknowledged in the same millisecond are ordered by their upload, so
/// that every delivery gives the same order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// The time of the acknowledgement.
    pub acknowledged_at: Timestamp,
    /// The upload of the message.
    pub upload_id: UploadId,
}

/// The messages of a batch in the order of their processing.
#[derive(Debug, PartialEq, Eq)]
pub struct Precedence<M> {
    /// The messages that wait for no other, in the order of their ranks.
    pub first: Vec<M>,
    /// The messages whose idempotency key belongs to one of the first, in the order of their ranks.
    pub later: Vec<LaterMessage<M>>,
}

/// A message that waits for an earlier one with the same idempotency key.
#[derive(Debug, PartialEq, Eq)]
pub struct LaterMessage<M> {
    /// The message.
    pub message: M,
    /// The index in [`Precedence::first`] of the message that gets the key.
    pub after: usize,
}

/// Separates the first message of each owner and idempotency key from the later ones.
#[must_use]
pub fn by_precedence<M>(
    mut messages: Vec<M>,
    rank: impl Fn(&M) -> Rank,
    key: impl Fn(&M) -> Option<(OwnerId, String)>,
) -> Precedence<M> {
    messages.sort_by_cached_key(rank);
    let mut holders = HashMap::new();
    let mut precedence = Precedence { first: Vec::new(), later: Vec::new() };
    for message in messages {
        let next = precedence.first.len();
        match key(&message).map(|key| *holders.entry(key).or_insert(next)) {
            Some(after) if after < next => precedence.later.push(LaterMessage { message, after }),
            _ => precedence.first.push(message),
        }
    }
    precedence
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message: its time, the number in its upload id, its owner and its key.
    type Message = (i64, u8, &'static str, Option<&'static str>);

    fn ordered(messages: Vec<Message>) -> Precedence<Message> {
        let rank = |&(time, number, ..): &Message| Rank {
            acknowledged_at: Timestamp::from_secs(time),
            upload_id: UploadId::new(Timestamp::from_secs(0), [number; 10]),
        };
        let key = |&(_, _, owner, key): &Message| Some((owner.parse().unwrap(), key?.to_owned()));
        by_precedence(messages, rank, key)
    }

    /// Returns all orders of the messages.
    fn orders(messages: &[Message]) -> Vec<Vec<Message>> {
        if messages.is_empty() {
            return vec![Vec::new()];
        }
        let with_first = |at: usize| {
            let mut others = messages.to_vec();
            let first = others.remove(at);
            orders(&others).into_iter().map(move |rest| [vec![first], rest].concat())
        };
        (0..messages.len()).flat_map(with_first).collect()
    }

    #[test]
    fn the_first_acknowledged_message_gets_the_key_in_any_order_of_delivery() {
        let earliest = (1, 9, "u1", Some("k"));
        let (same_millisecond, latest) = ((2, 3, "u1", Some("k")), (2, 4, "u1", Some("k")));
        let (of_other_owner, other_key, keyless) =
            ((3, 5, "u2", Some("k")), (4, 6, "u1", Some("l")), (5, 7, "u1", None));
        let messages = [earliest, same_millisecond, latest, of_other_owner, other_key, keyless];
        for order in orders(&messages) {
            let later = [same_millisecond, latest].map(|message| LaterMessage { message, after: 0 });
            let first = vec![earliest, of_other_owner, other_key, keyless];
            assert_eq!(ordered(order.clone()), Precedence { first, later: Vec::from(later) }, "{order:?}");
        }
    }

    #[test]
    fn messages_of_the_same_millisecond_are_ordered_by_their_uploads() {
        let (one, two) = ((1, 1, "u1", Some("k")), (1, 2, "u1", Some("k")));
        for order in orders(&[one, two]) {
            assert_eq!(ordered(order).first, [one]);
        }
    }

    #[test]
    fn messages_without_a_key_wait_for_nothing() {
        let messages = vec![(2, 1, "u1", None), (1, 2, "u1", None)];
        assert_eq!(
            ordered(messages),
            Precedence { first: vec![(1, 2, "u1", None), (2, 1, "u1", None)], later: vec![] }
        );
        assert_eq!(ordered(Vec::new()), Precedence { first: vec![], later: vec![] });
    }
}
