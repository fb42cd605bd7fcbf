//! What an owner may do next, in a sentence or two.

use super::{Subscription, SubscriptionState};
use crate::time::Timestamp;

/// What whoever has no verified address does first.
const VERIFY: &str = "Have an e-mail address verified for your account, sign in again, and PUT /notifications.";

impl Subscription {
    /// What to do next, for whoever asks about the subscription. `address` is the one that their account has now.
    #[must_use]
    pub fn hint(&self, address: Option<&str>, now: Timestamp) -> String {
        let email = self.email.as_deref().unwrap_or("your address");
        // PUT refuses whoever has no address, and asks another one at once.
        let moved_to = address.filter(|address| *address != email);
        match (self.state, address) {
            (SubscriptionState::None, Some(address)) => {
                format!("Nobody is mailed. PUT /notifications has notices mailed to {address}.")
            }
            (SubscriptionState::None, None) => format!("Nobody is mailed. {VERIFY}"),
            (SubscriptionState::Pending, _) => self.hint_while_pending(email, address, moved_to, now),
            (SubscriptionState::Confirmed, None) => {
                format!("Notices are mailed to {email}. DELETE /notifications ends it.")
            }
            (SubscriptionState::Confirmed, Some(_)) => match moved_to {
                Some(address) => format!(
                    "Notices are mailed to {email}, but your address is {address} now. PUT /notifications has them mailed \
                     there."
                ),
                None => format!(
                    "Notices are mailed to {email}. PUT /notifications chooses which kinds, DELETE /notifications ends it."
                ),
            },
            (SubscriptionState::Gone, _) => {
                let next = match (address, moved_to) {
                    (None, _) => VERIFY.to_owned(),
                    (_, Some(address)) => format!("PUT /notifications asks {address}."),
                    _ => "PUT /notifications asks anew.".to_owned(),
                };
                format!(
                    "Notices are not mailed to {email} any more: somebody followed the link to unsubscribe, or the mails \
                     were too many. {next}"
                )
            }
        }
    }

    fn hint_while_pending(&self, email: &str, address: Option<&str>, moved_to: Option<&str>, now: Timestamp) -> String {
        let nobody = format!("Nobody followed the link that was mailed to {email}");
        match (address, moved_to) {
            (_, Some(address)) => format!(
                "{nobody}, and your address is {address} now. PUT /notifications has one mailed there, at once."
            ),
            (None, _) if self.asks(email, now) => format!("{nobody}. {VERIFY}"),
            _ if self.asks(email, now) => format!("{nobody}. PUT /notifications has it mailed again."),
            _ => {
                let again = self.can_be_asked_again_at().filter(|_| address.is_some());
                let again = again.map(|at| format!(" From {at} on, PUT /notifications has it mailed again."));
                let again = again.unwrap_or_default();
                format!("Follow the link in the mail to {email}; look among the spam, too.{again}")
            }
        }
    }

    /// The same for the receipt of an upload. `None` where all is well.
    #[must_use]
    pub fn receipt_hint(&self) -> Option<&'static str> {
        match self.state {
            SubscriptionState::None => Some("Nobody is mailed about this upload: PUT /notifications to be."),
            SubscriptionState::Pending => {
                Some("Nobody is mailed about this upload before the link in the mail that asks for it is followed.")
            }
            SubscriptionState::Confirmed => None,
            SubscriptionState::Gone => Some(
                "Nobody is mailed about this upload any more, as somebody unsubscribed, or the mails were too many: PUT \
                 /notifications to be.",
            ),
        }
    }
}
