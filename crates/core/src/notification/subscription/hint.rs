//! Hints: the owner's next step, in a sentence or two.

use super::{Subscription, SubscriptionState};
use crate::time::Timestamp;

/// The first step of an owner without a verified address.
const VERIFY: &str = "Have an e-mail address verified for your account, sign in again, and PUT /notifications.";

impl Subscription {
    /// Returns the owner's next step. `address` is the verified address of the account, if it has one.
    #[must_use]
    pub fn hint(&self, address: Option<&str>, now: Timestamp) -> String {
        let email = self.email.as_deref().unwrap_or("your address");
        let new_address = address.filter(|address| *address != email);
        match (self.state, address) {
            (SubscriptionState::None, Some(address)) => {
                format!("You receive no e-mails. PUT /notifications subscribes {address}.")
            }
            (SubscriptionState::None, None) => format!("You receive no e-mails. {VERIFY}"),
            (SubscriptionState::Pending, _) => self.hint_while_pending(email, address, new_address, now),
            (SubscriptionState::Confirmed, None) => {
                format!("Notices are sent to {email}. DELETE /notifications stops them.")
            }
            (SubscriptionState::Confirmed, Some(_)) => match new_address {
                Some(address) => format!(
                    "Notices are sent to {email}, but your address is now {address}. PUT /notifications subscribes the \
                     new address."
                ),
                None => format!(
                    "Notices are sent to {email}. PUT /notifications changes their kinds, DELETE /notifications stops \
                     them."
                ),
            },
            (SubscriptionState::Gone, _) => {
                let next = match (address, new_address) {
                    (None, _) => VERIFY.to_owned(),
                    (_, Some(address)) => format!("PUT /notifications subscribes {address}."),
                    _ => "PUT /notifications subscribes it again.".to_owned(),
                };
                format!(
                    "Notices are no longer sent to {email}: the unsubscribe link was followed, or SNS stopped after too \
                     many e-mails. {next}"
                )
            }
        }
    }

    fn hint_while_pending(
        &self,
        email: &str,
        address: Option<&str>,
        new_address: Option<&str>,
        now: Timestamp,
    ) -> String {
        let not_followed = format!("The link in the confirmation e-mail to {email} was not followed");
        match (address, new_address) {
            (_, Some(address)) => format!(
                "{not_followed}, and your address is now {address}. PUT /notifications sends a confirmation e-mail there \
                 at once."
            ),
            (None, _) if self.needs_confirmation(email, now) => format!("{not_followed}. {VERIFY}"),
            _ if self.needs_confirmation(email, now) => format!("{not_followed}. PUT /notifications sends it again."),
            _ => {
                let resend_at = self.can_resend_at().filter(|_| address.is_some());
                let resend = resend_at.map(|at| format!(" After {at}, PUT /notifications sends it again."));
                let resend = resend.unwrap_or_default();
                format!("Follow the link in the confirmation e-mail to {email}. Check the spam folder, too.{resend}")
            }
        }
    }

    /// Returns the owner's next step for the receipt of an upload; `None` if notices are sent.
    #[must_use]
    pub fn receipt_hint(&self) -> Option<&'static str> {
        match self.state {
            SubscriptionState::None => {
                Some("You receive no e-mail about this upload. PUT /notifications subscribes your address.")
            }
            SubscriptionState::Pending => {
                Some("You receive no e-mail about this upload until the link in the confirmation e-mail is followed.")
            }
            SubscriptionState::Confirmed => None,
            SubscriptionState::Gone => Some(
                "You receive no e-mail about this upload: the unsubscribe link was followed, or SNS stopped after too \
                 many e-mails. PUT /notifications subscribes your address again.",
            ),
        }
    }
}
