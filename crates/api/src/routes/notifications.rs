//! Who is mailed: an owner's own e-mail subscription. The address is that of their account, never one that a request names.

use std::sync::Arc;

use axum::extract::State;
use eventpulse_aws::workflows::subscribe::{self, SubscribeOutcome};
use eventpulse_core::notification::kind::NoticeKind;
use eventpulse_core::notification::subscription::{self, Subscription, SubscriptionRefusal};
use eventpulse_core::time::Timestamp;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::{Address, Owner};
use crate::extract::{Json, NoParams, Query};
use crate::model::{NotificationState, Time};
use crate::problem::ApiError;
use crate::state::App;

/// What you want to be told.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "kinds": ["new", "regressed", "resolved"] }))]
pub(crate) struct Wanted {
    /// The kinds of notices, each once; all of them when it is left out.
    #[schema(min_items = 1, max_items = 4)]
    kinds: Option<Vec<Kind>>,
}

/// What a notice tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Uploads fail in a way that was not there before.
    New,
    /// They fail again in a way that was resolved.
    Regressed,
    /// Uploads of this kind pass again.
    Resolved,
    /// What repeated since the last digest.
    Digest,
}

impl Kind {
    fn core(self) -> NoticeKind {
        match self {
            Self::New => NoticeKind::New,
            Self::Regressed => NoticeKind::Regressed,
            Self::Resolved => NoticeKind::Resolved,
            Self::Digest => NoticeKind::Digest,
        }
    }

    fn of(kind: NoticeKind) -> Option<Self> {
        match kind {
            NoticeKind::New => Some(Self::New),
            NoticeKind::Regressed => Some(Self::Regressed),
            NoticeKind::Resolved => Some(Self::Resolved),
            NoticeKind::Digest => Some(Self::Digest),
            NoticeKind::SyntheticCheck => None,
        }
    }
}

/// Whether you are mailed, where, and about what.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "state": "pending", "email": "ann@example.com", "kinds": ["new", "regressed", "resolved", "digest"],
    "asked_at": "2025-02-28T12:00:00Z", "can_be_asked_again_at": "2025-03-01T12:00:00Z",
    "hint": "Follow the link in the confirmation e-mail to ann@example.com. Check the spam folder, too. After \
             2025-03-01T12:00:00Z, PUT /notifications sends it again.",
}))]
pub(crate) struct Notifications {
    /// Where the subscription stands.
    state: NotificationState,
    /// The address that is mailed, or would be; null when your account has none that is verified.
    #[schema(required)]
    email: Option<String>,
    /// What you are told, or will be once it is confirmed; nothing when the state is `none`.
    kinds: Vec<Kind>,
    /// When the link to confirm by was last mailed.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_at: Option<Time>,
    /// When the service first saw it confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_at: Option<Time>,
    /// When the service first saw it gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    gone_at: Option<Time>,
    /// From when on `PUT` has the link mailed again; only while it is pending. Your account's address is another one by
    /// now: `PUT` asks that at once, and this is not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    can_be_asked_again_at: Option<Time>,
    /// What to do next.
    hint: String,
}

impl Notifications {
    fn new(subscription: Subscription, address: Option<&str>, now: Timestamp) -> Self {
        let hint = subscription.hint(address, now);
        let is_none = subscription.state == subscription::SubscriptionState::None;
        let again = subscription.can_resend_at();
        let is_same = address.is_some() && address == subscription.email.as_deref();
        let again = again.filter(|_| is_same && subscription.state == subscription::SubscriptionState::Pending);
        let kinds = subscription.kinds.into_iter().filter_map(Kind::of);
        Self {
            state: subscription.state.into(),
            email: subscription.email.filter(|_| !is_none).or_else(|| address.map(str::to_owned)),
            kinds: kinds.filter(|_| !is_none).collect(),
            asked_at: subscription.confirmation_sent_at.filter(|_| !is_none).map(Time),
            confirmed_at: subscription.confirmed_at.map(Time),
            gone_at: subscription.gone_at.map(Time),
            can_be_asked_again_at: again.map(Time),
            hint,
        }
    }
}

/// Whether anybody is mailed about an upload.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "state": "none", "hint": "You receive no e-mail about this upload. PUT /notifications subscribes your address." }))]
pub(crate) struct Notified {
    /// Where your subscription stands; it may be a minute old.
    state: NotificationState,
    /// What to do to be mailed; not when you are.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
}

impl Notified {
    /// Whether the owner is mailed. A receipt is worth more than this: nobody goes without one when it cannot be told.
    pub(crate) async fn of(app: &App, owner: &Owner, now: Timestamp) -> Option<Self> {
        match subscribe::show_for_receipt(&app.services.subscriptions, &owner.0, now).await {
            Ok(subscription) => Some(Self { state: subscription.state.into(), hint: subscription.receipt_hint() }),
            Err(error) => {
                tracing::warn!(error = error.chain(), "a receipt does not tell of the subscription");
                None
            }
        }
    }
}

/// Whether you are mailed, as SNS tells of it now.
#[utoipa::path(get, path = "/notifications", operation_id = "show_notifications", tag = "notifications",
    responses((status = 200, description = "Whether you are mailed, where, and about what.", body = Notifications)))]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    owner: Owner,
    address: Address,
    _: Query<NoParams>,
) -> Result<axum::Json<Notifications>, ApiError> {
    let now = (app.clock)();
    let subscription = subscribe::show(&app.services.subscriptions, &owner.0, now).await?;
    Ok(axum::Json(Notifications::new(subscription, address.0.as_deref().ok(), now)))
}

/// Has notices mailed to the address of your account. SNS first mails a link to confirm by; not again to the same address
/// within a day, and never when it is confirmed already. Once more with other kinds changes these, within some minutes.
#[utoipa::path(put, path = "/notifications", operation_id = "subscribe", tag = "notifications", request_body = Wanted,
    responses(
        (status = 200, description = "Where it stands now; `hint` tells what to do.", body = Notifications),
        (status = 409, description = "Your account has no e-mail address, or none that is verified; or the address is \
                                      subscribed for somebody else, even if nobody confirmed that yet (it lapses within \
                                      two days); or there can be no more subscriptions. `detail` says which, and what \
                                      to do."),
        (status = 413, description = "The request itself is too large."),
        (status = 415, description = "The request is not JSON."),
    ))]
pub(crate) async fn put(
    State(app): State<Arc<App>>,
    owner: Owner,
    address: Address,
    _: Query<NoParams>,
    Json(wanted): Json<Wanted>,
) -> Result<axum::Json<Notifications>, ApiError> {
    let kinds = kinds(wanted.kinds)?;
    let (email, now) = (address.0?, (app.clock)());
    match subscribe::subscribe(&app.services.subscriptions, &owner.0, &email, &kinds, now).await? {
        SubscribeOutcome::Subscribed(subscription) => {
            Ok(axum::Json(Notifications::new(subscription, Some(&email), now)))
        }
        SubscribeOutcome::Refused(refused) => Err(refusal(refused, &email)),
    }
}

fn kinds(wanted: Option<Vec<Kind>>) -> Result<Vec<NoticeKind>, ApiError> {
    let Some(wanted) = wanted else { return Ok(NoticeKind::OF_OWNERS.to_vec()) };
    if wanted.is_empty() {
        return Err(ApiError::member("/kinds", "it is empty; DELETE /notifications ends the mails"));
    }
    for (at, kind) in wanted.iter().enumerate() {
        if wanted[..at].contains(kind) {
            return Err(ApiError::member(&format!("/kinds/{at}"), "it is there already"));
        }
    }
    Ok(wanted.into_iter().map(Kind::core).collect())
}

fn refusal(refused: SubscriptionRefusal, email: &str) -> ApiError {
    ApiError::conflict(match refused {
        SubscriptionRefusal::AddressInUse => format!(
            "{email} is subscribed to the notices in another way already: for another account, or as the operator of this \
             service. Unsubscribe that one, by the link at the end of one of its mails, and PUT again; or use another address. \
             If nobody ever confirmed that one, no mails come: it lapses, and you may PUT again in two days."
        ),
        SubscriptionRefusal::InvalidAddress => {
            format!("SNS does not mail to {email}. Have another address verified for your account.")
        }
        SubscriptionRefusal::QuotaReached => {
            "This service has as many subscriptions as its AWS account may have. Its operator can have the \
                          quota of SNS raised."
                .to_owned()
        }
    })
}

/// Ends the mails. Once more is the same. A link to confirm by that was mailed before does not undo it: should somebody
/// follow it, the service ends that, too, as soon as it sees it (with the next `GET /notifications` or receipt).
#[utoipa::path(delete, path = "/notifications", operation_id = "unsubscribe", tag = "notifications",
    responses((status = 204, description = "It is ended.")))]
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
    fn kinds_are_chosen_once_each() {
        assert_eq!(kinds(None).unwrap(), NoticeKind::OF_OWNERS);
        assert_eq!(kinds(Some(vec![Kind::Digest, Kind::New])).unwrap(), [NoticeKind::Digest, NoticeKind::New]);
        assert!(kinds(Some(Vec::new())).is_err() && kinds(Some(vec![Kind::New, Kind::Digest, Kind::New])).is_err());
        for kind in NoticeKind::OF_OWNERS {
            let told = Kind::of(kind).unwrap();
            assert_eq!((told.core(), serde_json::to_value(told).unwrap()), (kind, kind.as_str().into()));
        }
    }

    #[test]
    fn an_answer_tells_what_holds_and_no_more() {
        let now = Timestamp::from_micros(1_740_744_000_000_000);
        let told = |subscription: Subscription, address: Option<&str>| {
            serde_json::to_value(Notifications::new(subscription, address, now)).unwrap()
        };
        let none = told(Subscription::default(), Some("ann@example.com"));
        assert_eq!(
            none,
            json!({ "state": "none", "email": "ann@example.com", "kinds": [],
                "hint": "You receive no e-mails. PUT /notifications subscribes ann@example.com." })
        );
        assert_eq!(told(Subscription::default(), None)["email"], serde_json::Value::Null);
        let arn = Some("arn:aws:sns:eu-central-1:1:notices:1".to_owned());
        let pending = Subscription::default().confirmation_sent("ann@example.com", vec![NoticeKind::New], arn, now);
        let moved = told(pending.clone(), Some("bob@example.com"));
        assert_eq!((&moved["state"], &moved["email"]), (&json!("pending"), &json!("ann@example.com")));
        assert_eq!(moved.get("can_be_asked_again_at"), None, "the other address is asked at once");
        let shown = told(pending.clone(), Some("ann@example.com"));
        assert_eq!((&shown["asked_at"], &shown["kinds"]), (&json!("2025-02-28T12:00:00Z"), &json!(["new"])));
        assert_eq!(shown["can_be_asked_again_at"], "2025-03-01T12:00:00Z");
        let confirmed =
            told(pending.clone().observe(subscription::ObservedState::Confirmed, now), Some("ann@example.com"));
        assert_eq!((&confirmed["state"], confirmed.get("can_be_asked_again_at")), (&json!("confirmed"), None));
        let deleted = pending.deleted(subscription::Removal::KeptWhilePending);
        let followed =
            told(deleted.clone().observe(subscription::ObservedState::Confirmed, now), Some("bob@example.com"));
        let deleted = told(deleted, Some("bob@example.com"));
        assert_eq!((&deleted["email"], deleted.get("asked_at")), (&json!("bob@example.com"), None));
        assert_eq!(followed, deleted, "what is ended stays ended, whoever follows the old link");
        for text in [&shown, &confirmed, &deleted] {
            assert!(!text.to_string().contains("arn:"), "{text}");
        }
    }
}
