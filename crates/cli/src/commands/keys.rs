//! `eventpulse keys`: lists, creates, rotates and revokes the API keys of devices.

use std::time::Duration;

use serde_json::{Value, json};

use super::output::{CommandResult, Global, cell, show, table};
use crate::client::amount::parse_span;
use crate::client::api::Api;
use crate::client::error::ClientError;
use crate::client::text::clean;

/// The length of a key id after `key_`, in digits of Crockford's base 32.
const ID_DIGITS: usize = 26;

/// The arguments of `eventpulse keys`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the keys, without their secrets.
    List {
        /// The most keys to list, newest first.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Create a key. Its secret is shown once.
    Create {
        /// The name of the key.
        #[arg(long)]
        name: Option<String>,
        /// The usage plan, which limits the rate of messages.
        #[arg(long, default_value = "standard", value_parser = ["standard", "fast"])]
        plan: String,
    },
    /// Rotate a key: replace its secret. The new one is shown once.
    Rotate {
        /// The id of the key.
        #[arg(value_name = "KEY_ID", value_parser = key_id)]
        id: String,
        /// How long the old secret remains valid, such as 1h [default: not at all].
        #[arg(long, value_name = "SPAN", value_parser = parse_span)]
        keep_old: Option<Duration>,
    },
    /// Revoke a key permanently.
    Revoke {
        /// The id of the key.
        #[arg(value_name = "KEY_ID", value_parser = key_id)]
        id: String,
    },
}

/// The part of `GET /health` about sending data.
#[derive(Debug)]
pub(super) struct DataApi {
    /// The URL of `POST /data`.
    pub(super) url: String,
    /// The number of seconds for which a revoked key may still be accepted.
    pub(super) key_cache_seconds: Option<u64>,
}

/// Lists, creates, rotates or revokes keys.
///
/// # Errors
/// Fails when the API cannot be reached or refuses.
pub async fn run(api: &Api, args: Args, global: &Global) -> Result<CommandResult, ClientError> {
    match args.action {
        Action::List { limit } => {
            let keys = api.pages("/keys", &[], "keys", limit).await?;
            show(global, &json!(keys), || list_text(&keys));
        }
        Action::Create { name, plan } => {
            // Asked first: what comes after the key was made must not fail, or nobody would see it.
            let data = data_api(api).await?;
            let key = create(api, name.as_deref(), &plan).await?;
            show(global, &key, || secret_text(&key, &data));
        }
        Action::Rotate { id, keep_old } => {
            let data = data_api(api).await?;
            let keep = keep_old.unwrap_or_default().as_secs();
            let key = api.post_json(&format!("/keys/{id}/rotate"), &json!({ "keep_old_seconds": keep })).await?;
            show(global, &key, || format!("{}{}", secret_text(&key, &data), old_text(keep, &data)));
        }
        Action::Revoke { id } => {
            let data = data_api(api).await?;
            let key = revoke(api, &id).await?;
            show(global, &key, || format!("{id} is revoked. It stops working within {}.\n", cached(&data)));
        }
    }
    Ok(CommandResult::Success)
}

/// Returns where devices send data.
///
/// # Errors
/// Fails when the API cannot be reached, or has no URL for devices.
pub(super) async fn data_api(api: &Api) -> Result<DataApi, ClientError> {
    let health = api.get("/health", &[]).await?;
    let url = health["data"]["url"].as_str();
    let url =
        url.ok_or_else(|| ClientError::Other("this API has no URL for devices: deploy a newer version".to_owned()))?;
    Ok(DataApi { url: url.to_owned(), key_cache_seconds: health["data"]["key_cache_seconds"].as_u64() })
}

/// Creates a key. Its secret is the member `api_key`.
pub(super) async fn create(api: &Api, name: Option<&str>, plan: &str) -> Result<Value, ClientError> {
    let mut request = json!({ "plan": plan });
    if let Some(name) = name {
        request["name"] = json!(name);
    }
    api.post_json("/keys", &request).await
}

/// Revokes a key. A repeated call changes nothing.
pub(super) async fn revoke(api: &Api, id: &str) -> Result<Value, ClientError> {
    api.delete(&format!("/keys/{id}")).await
}

/// Parses a key id on the command line, so that no other text gets into a path.
fn key_id(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix("key_").unwrap_or_default();
    let is_digit = |it: u8| it.is_ascii_digit() || (it.is_ascii_uppercase() && !b"ILOU".contains(&it));
    if digits.len() == ID_DIGITS && digits.bytes().all(is_digit) {
        return Ok(text.to_owned());
    }
    Err(format!("a key id is `key_` and {ID_DIGITS} digits and capital letters (ep_ starts a secret, not an id)"))
}

fn list_text(keys: &[Value]) -> String {
    let headers = ["key", "name", "plan", "state", "ends in", "created", "revoked"];
    table(&headers, keys, |key| {
        ["key_id", "name", "plan", "state", "last_four", "created_at", "revoked_at"]
            .map(|member| cell(&key[member]))
            .into()
    })
}

/// Returns a new secret, shown this once, and how to use it.
fn secret_text(key: &Value, data: &DataApi) -> String {
    let (id, plan, secret) = (cell(&key["key_id"]), cell(&key["plan"]), cell(&key["api_key"]));
    let name = if key["name"].is_null() { String::new() } else { format!(" {:?}", cell(&key["name"])) };
    format!(
        "{id}{name}, plan {plan}\n\n  {secret}\n\n\
         Retention it now: it is not shown again. Who has it can send data in your name.\n\n\
         curl -i {} -H {} -H 'content-type: application/json' \\\n  \
         -d '{{\"device_id\":\"12345\",\"timestamp\":\"2025-02-28T12:00:00Z\",\"value\":22.5}}'\n",
        shell_word(&data.url),
        shell_word(&format!("x-api-key: {secret}"))
    )
}

/// Returns what happens to the previous secret.
fn old_text(keep: u64, data: &DataApi) -> String {
    let after = if keep == 0 { String::new() } else { format!("after {keep} s, and then ") };
    format!("\nThe old secret stops working {after}within {}.\n", cached(data))
}

fn cached(data: &DataApi) -> String {
    data.key_cache_seconds.map_or_else(|| "the cache time of the gateway".to_owned(), |seconds| format!("{seconds} s"))
}

/// Quotes foreign text as one shell word.
fn shell_word(text: &str) -> String {
    format!("'{}'", clean(text).replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "key_01JNB8VQ2ZKX5T3M9W6R4C7H0D";

    fn data(seconds: Option<u64>) -> DataApi {
        DataApi { url: "https://devices.example/v1/data".to_owned(), key_cache_seconds: seconds }
    }

    #[test]
    fn only_key_ids_are_accepted() {
        assert_eq!(key_id(ID), Ok(ID.to_owned()));
        let lower = ID.to_lowercase();
        let wrong =
            ["", "key_", "ep_secret", "up_01JNB8VQ2ZKX5T3M9W6R4C7H0D", &lower, "key_01JNB8VQ2ZKX5T3M9W6R4C7H0I"];
        for text in wrong.into_iter().chain(["key_01JNB8VQ2ZKX5T3M9W6R4C7H0D/", "key_01JNB8VQ2ZKX5T3M9W6R4C/.."]) {
            assert!(key_id(text).unwrap_err().contains("key_"), "{text}");
        }
    }

    #[test]
    fn keys_are_listed_without_their_secrets() {
        let keys = [
            json!({ "key_id": "key_2", "name": null, "plan": "fast", "state": "active", "last_four": "aB-_",
                "created_at": "2025-02-28T12:00:00Z", "revoked_at": null, "api_key": "ep_never" }),
            json!({ "key_id": "key_1", "name": "roof\u{1b}", "plan": "standard", "state": "revoked", "last_four": "x9y8",
                "created_at": "2025-02-27T12:00:00Z", "revoked_at": "2025-02-28T11:00:00Z" }),
        ];
        let expected = "\
key    name        plan      state    ends in  created               revoked
key_2              fast      active   aB-_     2025-02-28T12:00:00Z
key_1  roof\\u{1b}  standard  revoked  x9y8     2025-02-27T12:00:00Z  2025-02-28T11:00:00Z
";
        assert_eq!(list_text(&keys), expected);
    }

    #[test]
    fn secret_is_shown_with_a_working_call() {
        let key = json!({ "key_id": ID, "name": "roof", "plan": "standard", "api_key": "ep_abc" });
        let expected = format!(
            "{ID} \"roof\", plan standard\n\n  ep_abc\n\n\
             Retention it now: it is not shown again. Who has it can send data in your name.\n\n\
             curl -i 'https://devices.example/v1/data' -H 'x-api-key: ep_abc' -H 'content-type: application/json' \\\n  \
             -d '{{\"device_id\":\"12345\",\"timestamp\":\"2025-02-28T12:00:00Z\",\"value\":22.5}}'\n"
        );
        assert_eq!(secret_text(&key, &data(Some(60))), expected);
    }

    #[test]
    fn text_says_when_the_old_secret_ends() {
        for (keep, seconds, expected) in [
            (0, Some(60), "\nThe old secret stops working within 60 s.\n"),
            (3600, Some(60), "\nThe old secret stops working after 3600 s, and then within 60 s.\n"),
            (0, None, "\nThe old secret stops working within the cache time of the gateway.\n"),
        ] {
            assert_eq!(old_text(keep, &data(seconds)), expected);
        }
    }
}
