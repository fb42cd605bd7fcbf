//! `eventpulse notifications`: shows, turns on and turns off e-mails.

use serde_json::{Value, json};

use super::output::{CommandResult, Global, cell, items, show};
use crate::client::api::Api;
use crate::client::error::ClientError;

const PATH: &str = "/notifications";

/// The arguments of `eventpulse notifications`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show the state of your e-mail subscription (the default).
    Show,
    /// Send notices to the e-mail address of your account, or change their kinds.
    On {
        /// The kinds of notices, such as new,digest [default: all].
        #[arg(long, value_name = "KIND,...", value_delimiter = ',',
            value_parser = ["new", "regressed", "quiet", "resolved", "digest"])]
        kinds: Vec<String>,
    },
    /// Stop the e-mails.
    Off,
}

/// Shows or changes the e-mail subscription.
///
/// # Errors
/// Fails when the API cannot be reached or refuses.
pub async fn run(api: &Api, args: Args, global: &Global) -> Result<CommandResult, ClientError> {
    let answer = match args.action.unwrap_or(Action::Show) {
        Action::Show => api.get(PATH, &[]).await?,
        Action::On { kinds } => {
            let wanted = if kinds.is_empty() { json!({}) } else { json!({ "kinds": kinds }) };
            api.put_json(PATH, &wanted).await?
        }
        Action::Off => {
            api.delete(PATH).await?;
            api.get(PATH, &[]).await?
        }
    };
    show(global, &answer, || text(&answer));
    Ok(CommandResult::Success)
}

fn text(answer: &Value) -> String {
    let kinds: Vec<String> = items(answer, "kinds").iter().map(cell).collect();
    let kinds = kinds.join(", ");
    let mut text = format!("notifications: {}\n", cell(&answer["state"]));
    let members = [
        ("e-mail", &cell(&answer["email"])),
        ("kinds", &kinds),
        ("requested", &cell(&answer["requested_at"])),
        ("confirmed", &cell(&answer["confirmed_at"])),
        ("gone", &cell(&answer["gone_at"])),
    ];
    for (name, value) in members.into_iter().filter(|(_, value)| !value.is_empty()) {
        text.push_str(&format!("{name:<11}{value}\n"));
    }
    text.push_str(&format!("\n{}\n", cell(&answer["hint"])));
    if answer["state"] != "confirmed" && answer["email"].is_string() {
        text.push_str("To turn e-mails on: eventpulse notifications on\n");
    }
    text
}

/// Returns a hint when a rejected upload has no e-mail subscriber. Returns nothing when there is one, or it is unknown.
pub(super) fn unmailed<'a>(mut receipts: impl Iterator<Item = &'a Value>) -> &'static str {
    let is_unmailed = |receipt: &Value| {
        let is_rejected = receipt["quarantine"]["status"] == "open";
        is_rejected && matches!(receipt["notifications"]["state"].as_str(), Some("none" | "pending" | "gone"))
    };
    if receipts.any(is_unmailed) {
        "nobody gets e-mails about rejected uploads: eventpulse notifications\n"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_text() {
        let pending = json!({ "state": "pending", "email": "ann@example.com", "kinds": ["new", "digest"],
            "requested_at": "2025-02-28T12:00:00Z", "hint": "Follow the link\u{1b}." });
        let expected = "\
notifications: pending
e-mail     ann@example.com
kinds      new, digest
requested  2025-02-28T12:00:00Z

Follow the link\\u{1b}.
To turn e-mails on: eventpulse notifications on
";
        assert_eq!(text(&pending), expected);
        let none = json!({ "state": "none", "email": null, "kinds": [], "hint": "Nobody is mailed." });
        assert_eq!(text(&none), "notifications: none\n\nNobody is mailed.\n");
        let confirmed = json!({ "state": "confirmed", "email": "ann@example.com", "kinds": ["new"], "hint": "Well." });
        assert!(!text(&confirmed).contains("notifications on"));
    }

    #[test]
    fn missing_subscription_is_mentioned_once_for_rejected_uploads() {
        let receipt = |status: &str, state: Value| json!({ "quarantine": { "status": status }, "notifications": { "state": state } });
        for (name, receipts, expected) in [
            ("nothing sent", vec![], false),
            ("rejected", vec![receipt("open", json!("none")), receipt("open", json!("none"))], true),
            ("pending", vec![receipt("open", json!("pending"))], true),
            ("gone", vec![Value::Null, receipt("open", json!("gone"))], true),
            ("mailed", vec![receipt("open", json!("confirmed"))], false),
            ("not known", vec![receipt("open", Value::Null)], false),
            ("accepted", vec![json!({ "quarantine": null, "notifications": { "state": "none" } })], false),
            ("resolved", vec![receipt("resolved", json!("none"))], false),
        ] {
            let line = unmailed(receipts.iter());
            assert_eq!((line.lines().count() == 1, line.is_empty()), (expected, !expected), "{name}: {line}");
        }
    }
}
