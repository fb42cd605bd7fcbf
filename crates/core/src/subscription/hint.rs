//! What an owner may do next, in a sentence or two.

use super::{State, Subscription};
use crate::time::Timestamp;

impl Subscription {
    /// What to do next, for whoever asks about the subscription. `address` is the one that their account has now.
    #[must_use]
    pub fn hint(&self, address: Option<&str>, now: Timestamp) -> String {
        let email = self.email.as_deref().unwrap_or("your address");
        match self.state {
            State::None => match address {
                Some(address) => format!("Nobody is mailed. PUT /notifications has notices mailed to {address}."),
                None => "Nobody is mailed. Have an e-mail address verified for your account, sign in again, and PUT \
                         /notifications."
                    .to_owned(),
            },
            State::Pending if self.asks(email, now) => {
                format!("Nobody followed the link that was mailed to {email}. PUT /notifications has it mailed again.")
            }
            State::Pending => {
                let again = self.can_be_asked_again_at();
                let again = again
                    .map(|at| format!(" From {at} on, PUT /notifications has it mailed again."))
                    .unwrap_or_default();
                format!("Follow the link in the mail to {email}; look among the spam, too.{again}")
            }
            State::Confirmed => match address {
                Some(address) if address != email => format!(
                    "Notices are mailed to {email}, but your address is {address} now. PUT /notifications has them mailed \
                     there."
                ),
                _ => format!(
                    "Notices are mailed to {email}. PUT /notifications chooses which kinds, DELETE /notifications ends it."
                ),
            },
            State::Gone => format!(
                "Notices are not mailed to {email} any more: somebody followed the link to unsubscribe, or the mails were \
                 too many. PUT /notifications asks anew."
            ),
        }
    }

    /// The same for the receipt of an upload. `None` where all is well.
    #[must_use]
    pub fn receipt_hint(&self) -> Option<&'static str> {
        match self.state {
            State::None => Some("Nobody is mailed about this upload: PUT /notifications to be."),
            State::Pending => {
                Some("Nobody is mailed about this upload before the link in the mail that asks for it is followed.")
            }
            State::Confirmed => None,
            State::Gone => Some(
                "Nobody is mailed about this upload any more, as somebody unsubscribed, or the mails were too many: PUT \
                 /notifications to be.",
            ),
        }
    }
}
