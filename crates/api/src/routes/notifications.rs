//! The owner's e-mail subscription to notices. The address is the verified one of the account; a request cannot choose
//! another.

use std::sync::Arc;

use axum::extract::State;
use eventpulse_aws::workflows::subscribe::{self, SubscribeOutcome};
use eventpulse_core::notification::kind;
use eventpulse_core::notification::subscription::{self, Subscription, SubscriptionRefusal};
use eventpulse_core::time::Timestamp;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api_error::ApiError;
use crate::auth::{Owner, VerifiedEmail};
use crate::extract::{Json, NoParams, Query};
use crate::model::{SubscriptionState, Time};
use crate::state::App;

/// A request to subscribe to notices.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubscriptionRequest {
    /// The kinds of notices, without duplicates; all kinds by default.
    #[schema(min_items = 1, max_items = 5)]
    kinds: Option<Vec<NoticeKind>>,
}

/// A kind of notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NoticeKind {
    /// A new problem: uploads are rejected for a reason not seen before.
    New,
    /// A quiet or resolved problem occurs again.
    Regressed,
    /// A problem is quiet: it has not occurred for some time, and rejected records are still in quarantine.
    Quiet,
    /// A problem is resolved: all of its rejected records are corrected, discarded, withdrawn or expired.
    Resolved,
    /// A summary of the occurrences since the last digest.
    Digest,
}

impl NoticeKind {
    /// Returns the same kind as the core's type.
    fn core(self) -> kind::NoticeKind {
        match self {
            Self::New => kind::NoticeKind::New,
            Self::Regressed => kind::NoticeKind::Regressed,
            Self::Quiet => kind::NoticeKind::Quiet,
            Self::Resolved => kind::NoticeKind::Resolved,
            Self::Digest => kind::NoticeKind::Digest,
        }
    }

    /// Converts a kind to which owners can subscribe.
    fn of_owners(kind: kind::NoticeKind) -> Option<Self> {
        match kind {
            kind::NoticeKind::New => Some(Self::New),
            kind::NoticeKind::Regressed => Some(Self::Regressed),
            kind::NoticeKind::Quiet => Some(Self::Quiet),
            kind::NoticeKind::Resolved => Some(Self::Resolved),
            kind::NoticeKind::Digest => Some(Self::Digest),
            kind::NoticeKind::SyntheticCheck => None,
        }
    }
}

/// Your e-mail subscription to notices.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EmailSubscription {
    /// The state of the subscription.
    state: SubscriptionState,
    /// The e-mail address of the subscription, or of your account; null if your account has no verified address.
    #[schema(required)]
    email: Option<String>,
    /// The kinds of notices; empty if the state is `none`.
    kinds: Vec<NoticeKind>,
    /// The time at which the confirmation link was last sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    requested_at: Option<Time>,
    /// The time at which the service first observed the confirmation.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_at: Option<Time>,
    /// The time at which the service first observed that the subscription had ended outside this API.
    #[serde(skip_serializing_if = "Option::is_none")]
    gone_at: Option<Time>,
    /// The time from which `PUT` sends the confirmation link again. Present only while the subscription is pending and
    /// its address is still that of your account.
    #[serde(skip_serializing_if = "Option::is_none")]
    resend_available_at: Option<Time>,
    /// The next step for you.
    hint: String,
}

impl EmailSubscription {
    fn new(subscription: Subscription, address: Option<&str>, now: Timestamp) -> Self {
        let hint = subscription.hint(address, now);
        let is_none = subscription.state == subscription::SubscriptionState::None;
        let resend_at = subscription.can_resend_at();
        let is_same_address = address.is_some() && address == subscription.email.as_deref();
        let resend_at =
            resend_at.filter(|_| is_same_address && subscription.state == subscription::SubscriptionState::Pending);
        let kinds = subscription.kinds.into_iter().filter_map(NoticeKind::of_owners);
        Self {
            state: subscription.state.into(),
            email: subscription.email.filter(|_| !is_none).or_else(|| address.map(str::to_owned)),
            kinds: kinds.filter(|_| !is_none).collect(),
            requested_at: subscription.confirmation_sent_at.filter(|_| !is_none).map(Time),
            confirmed_at: subscription.confirmed_at.map(Time),
            gone_at: subscription.gone_at.map(Time),
            resend_available_at: resend_at.map(Time),
            hint,
        }
    }
}

/// The state of your e-mail subscription, in a receipt.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SubscriptionSummary {
    /// The state of your e-mail subscription, at most one minute old.
    state: SubscriptionState,
    /// The step that subscribes you; absent if you are subscribed.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
}

impl SubscriptionSummary {
    /// Loads the state of the owner's subscription. Returns `None` when that fails, so that the receipt does not fail
    /// too.
    pub(crate) async fn of(app: &App, owner: &Owner, now: Timestamp) -> Option<Self> {
        match subscribe::show_for_receipt(&app.services.subscriptions, &owner.0, now).await {
            Ok(subscription) => Some(Self { state: subscription.state.into(), hint: subscription.receipt_hint() }),
            Err(error) => {
                tracing::warn!(error = error.chain(), "could not load the subscription for a receipt");
                None
            }
        }
    }
}

/// Get the e-mail subscription
///
/// Returns the present state of your e-mail subscription to notices, as SNS reports it.
#[utoipa::path(get, path = "/notifications", operation_id = "get_subscription", tag = "notifications",
    responses((status = 200, description = "Your e-mail subscription.", body = EmailSubscription)))]
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    owner: Owner,
    email: VerifiedEmail,
    _: Query<NoParams>,
) -> Result<axum::Json<EmailSubscription>, ApiError> {
    let now = (app.clock)();
    let subscription = subscribe::show(&app.services.subscriptions, &owner.0, now).await?;
    Ok(axum::Json(EmailSubscription::new(subscription, email.0.as_deref().ok(), now)))
}

/// Subscribe to notices by e-mail
///
/// Subscribes the verified address of your account. SNS first sends a confirmation link to it: at most once a day, and
/// not if the address is confirmed already. Repeating the request with other kinds changes the kinds within minutes.
#[utoipa::path(put, path = "/notifications", operation_id = "subscribe", tag = "notifications",
    request_body = SubscriptionRequest,
    responses(
        (status = 200, description = "The subscription. `hint` says what to do next.", body = EmailSubscription),
        (status = 409, description = "Your account has no verified e-mail address, the address is subscribed for \
                                      another account, or the service has no free subscriptions. `detail` says which, \
                                      and what to do."),
        (status = 413, description = "The body of the request is too large."),
        (status = 415, description = "The body of the request is not JSON."),
    ))]
pub(crate) async fn put(
    State(app): State<Arc<App>>,
    owner: Owner,
    email: VerifiedEmail,
    _: Query<NoParams>,
    Json(request): Json<SubscriptionRequest>,
) -> Result<axum::Json<EmailSubscription>, ApiError> {
    let kinds = kinds(request.kinds)?;
    let (email, now) = (email.0?, (app.clock)());
    match subscribe::subscribe(&app.services.subscriptions, &owner.0, &email, &kinds, now).await? {
        SubscribeOutcome::Subscribed(subscription) => {
            Ok(axum::Json(EmailSubscription::new(*subscription, Some(&email), now)))
        }
        SubscribeOutcome::Refused(refusal) => Err(conflict(refusal, &email)),
    }
}

fn kinds(requested: Option<Vec<NoticeKind>>) -> Result<Vec<kind::NoticeKind>, ApiError> {
    let Some(requested) = requested else { return Ok(kind::NoticeKind::OF_OWNERS.to_vec()) };
    if requested.is_empty() {
        return Err(ApiError::member(
            "/kinds",
            "expected at least one kind (DELETE /notifications ends the subscription)",
        ));
    }
    for (index, kind) in requested.iter().enumerate() {
        if requested[..index].contains(kind) {
            return Err(ApiError::member(&format!("/kinds/{index}"), "expected no duplicate"));
        }
    }
    Ok(requested.into_iter().map(NoticeKind::core).collect())
}

fn conflict(refusal: SubscriptionRefusal, email: &str) -> ApiError {
    ApiError::conflict(match refusal {
        SubscriptionRefusal::AddressInUse => format!(
            "{email} is already subscribed: for another account, or as the operator of this service. Unsubscribe it \
             with the link at the end of one of its e-mails and repeat the request, or use another address. An \
             unconfirmed subscription receives no e-mails and lapses within two days; repeat the request then."
        ),
        SubscriptionRefusal::InvalidAddress => {
            format!("SNS does not send e-mails to {email}. Verify another address for your account.")
        }
        SubscriptionRefusal::QuotaReached => {
            "The service has no free subscriptions. Ask its operator to raise the SNS quota of the AWS account."
                .to_owned()
        }
    })
}

/// Unsubscribe from notices
///
/// Ends your e-mail subscription. Repeating the request has no further effect. If somebody follows an earlier
/// confirmation link later, the service removes that subscription with the next `GET /notifications` or receipt.
#[utoipa::path(delete, path = "/notifications", operation_id = "unsubscribe", tag = "notifications",
    responses((status = 204, description = "The subscription has ended.")))]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    owner: Owner,
    _: Query<NoParams>,
) -> Result<StatusCode, ApiError> {
    subscribe::unsubscribe(&app.services.subscriptions, &owner.0, (app.clock)()).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_kind_is_accepted_at_most_once() {
        assert_eq!(kinds(None).unwrap(), kind::NoticeKind::OF_OWNERS);
        assert_eq!(
            kinds(Some(vec![NoticeKind::Digest, NoticeKind::New])).unwrap(),
            [kind::NoticeKind::Digest, kind::NoticeKind::New]
        );
        assert!(
            kinds(Some(Vec::new())).is_err()
                && kinds(Some(vec![NoticeKind::New, NoticeKind::Digest, NoticeKind::New])).is_err()
        );
        for kind in kind::NoticeKind::OF_OWNERS {
            let wire = NoticeKind::of_owners(kind).unwrap();
            assert_eq!((wire.core(), serde_json::to_value(wire).unwrap()), (kind, kind.as_str().into()));
        }
    }

    #[test]
    fn response_has_only_the_members_of_its_state() {
        let now = Timestamp::from_micros(1_740_744_000_000_000);
        let response = |subscription: Subscription, address: Option<&str>| {
            serde_json::to_value(EmailSubscription::new(subscription, address, now)).unwrap()
        };
        let none = response(Subscription::default(), Some("ann@example.com"));
        assert_eq!(
            none,
            json!({ "state": "none", "email": "ann@example.com", "kinds": [],
                "hint": "You receive no e-mails. PUT /notifications subscribes ann@example.com." })
        );
        assert_eq!(response(Subscription::default(), None)["email"], serde_json::Value::Null);
        let arn = Some("arn:aws:sns:eu-central-1:1:notices:1".to_owned());
        let pending =
            Subscription::default().confirmation_sent("ann@example.com", vec![kind::NoticeKind::New], arn, now);
        let moved = response(pending.clone(), Some("bob@example.com"));
        assert_eq!((&moved["state"], &moved["email"]), (&json!("pending"), &json!("ann@example.com")));
        assert_eq!(moved.get("resend_available_at"), None, "another address can subscribe at once");
        let shown = response(pending.clone(), Some("ann@example.com"));
        assert_eq!((&shown["requested_at"], &shown["kinds"]), (&json!("2025-02-28T12:00:00Z"), &json!(["new"])));
        assert_eq!(shown["resend_available_at"], "2025-03-01T12:00:00Z");
        let confirmed =
            response(pending.clone().observe(subscription::ObservedState::Confirmed, now), Some("ann@example.com"));
        assert_eq!((&confirmed["state"], confirmed.get("resend_available_at")), (&json!("confirmed"), None));
        let deleted = pending.deleted(subscription::Removal::KeptWhilePending);
        let followed =
            response(deleted.clone().observe(subscription::ObservedState::Confirmed, now), Some("bob@example.com"));
        let deleted = response(deleted, Some("bob@example.com"));
        assert_eq!((&deleted["email"], deleted.get("requested_at")), (&json!("bob@example.com"), None));
        assert_eq!(followed, deleted, "an old confirmation link does not restart the subscription");
        for text in [&shown, &confirmed, &deleted] {
            assert!(!text.to_string().contains("arn:"), "{text}");
        }
    }
}
