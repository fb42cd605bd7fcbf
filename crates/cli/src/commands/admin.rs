//! `eventpulse admin`: ends and restores the access of owners, and checks counters, with the credentials of the operator.

use eventpulse_aws::Services;
use eventpulse_aws::workflows::keys::Keys;
use eventpulse_core::device::key::KeyId;
use eventpulse_core::id::OwnerId;
use eventpulse_core::intake::schema::Catalog;
use serde_json::{Value, json};

use super::output::{CommandResult, Global, cell, items, show};
use crate::client::error::ClientError;
use crate::operator::{Aws, Outputs, PoolUser, UserPool, Who};

/// The arguments of `eventpulse admin`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The name of the CloudFormation stack.
    #[arg(long, global = true, value_name = "NAME", env = "EVENTPULSE_STACK", default_value = "eventpulse")]
    stack: String,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// End the access of an owner: revoke all keys, refuse new ones, and disable the user.
    Offboard {
        /// The owner id (Cognito's `sub`), or the e-mail address of the user.
        #[arg(value_name = "OWNER_OR_EMAIL")]
        owner: String,
        /// Do not disable the user, who can then still sign in and read.
        #[arg(long)]
        keep_user: bool,
    },
    /// Restore the access of an offboarded owner, and enable the user. Revoked keys stay revoked.
    Reinstate {
        /// The owner id (Cognito's `sub`), or the e-mail address of the user.
        #[arg(value_name = "OWNER_OR_EMAIL")]
        owner: String,
    },
    /// Revoke a key of any owner.
    RevokeKey {
        /// The id of the key.
        #[arg(value_parser = key_id)]
        key_id: KeyId,
    },
    /// Compare the counters of an owner's open uploads with their histories. Exits with 1 if they differ.
    Recount {
        /// The owner id.
        #[arg(value_parser = owner_id)]
        owner: OwnerId,
    },
}

/// Runs a command of the operator.
///
/// # Errors
/// Fails if AWS cannot be reached or refuses.
pub async fn run(args: Args, global: &Global) -> Result<CommandResult, ClientError> {
    let aws = Aws::from_env().await?;
    let outputs = Outputs::of_stack(&aws, &args.stack).await?;
    match args.action {
        Action::Offboard { owner, keep_user } => offboard(&aws, &outputs, &owner, keep_user, global).await,
        Action::Reinstate { owner } => reinstate(&aws, &outputs, &owner, global).await,
        Action::RevokeKey { key_id } => revoke_key(&aws, &outputs, &key_id, global).await,
        Action::Recount { owner } => recount(&aws, &outputs, &owner, global).await,
    }
}

async fn offboard(
    aws: &Aws,
    outputs: &Outputs,
    name: &str,
    keep_user: bool,
    global: &Global,
) -> Result<CommandResult, ClientError> {
    let pool = UserPool::new(aws, outputs.get("UserPoolId")?);
    let (owner, user) = find(&pool, name).await?;
    // The user first: nobody can sign in between.
    if let Some(user) = user.as_ref().filter(|_| !keep_user) {
        pool.disable(&user.username).await?;
    }
    let keys = Keys::new(outputs.keys_config()?, aws.sdk());
    let revoked = keys.offboard(&owner, eventpulse_aws::clock()).await.map_err(of_aws)?;
    let revoked: Vec<&str> = revoked.iter().map(|key| key.key_id.as_str()).collect();
    let user_state = match (&user, keep_user) {
        (None, _) => "not found",
        (Some(_), true) => "kept",
        (Some(_), false) => "disabled",
    };
    let answer = json!({ "owner": owner, "user": user_state, "revoked_keys": revoked });
    show(global, &answer, || offboarded_text(&answer));
    Ok(CommandResult::Success)
}

async fn reinstate(aws: &Aws, outputs: &Outputs, name: &str, global: &Global) -> Result<CommandResult, ClientError> {
    let pool = UserPool::new(aws, outputs.get("UserPoolId")?);
    let (owner, user) = find(&pool, name).await?;
    let keys = Keys::new(outputs.keys_config()?, aws.sdk());
    let was_offboarded = keys.store().reinstate(&owner).await.map_err(of_aws)?;
    if let Some(user) = &user {
        pool.enable(&user.username).await?;
    }
    let user_state = if user.is_some() { "enabled" } else { "not found" };
    let answer = json!({ "owner": owner, "user": user_state, "was_offboarded": was_offboarded });
    show(global, &answer, || {
        let state = if was_offboarded { "reinstated; revoked keys stay revoked" } else { "was not offboarded" };
        format!("{owner}: {state}\nuser: {user_state}\n")
    });
    Ok(CommandResult::Success)
}

async fn revoke_key(aws: &Aws, outputs: &Outputs, id: &KeyId, global: &Global) -> Result<CommandResult, ClientError> {
    let keys = Keys::new(outputs.keys_config()?, aws.sdk());
    let revoked = keys.revoke_of_any_owner(id, eventpulse_aws::clock()).await.map_err(of_aws)?;
    let key = revoked.into_result().map_err(|_| ClientError::Other(format!("no owner has a key {id}")))?;
    let answer = json!({ "key_id": key.key_id, "owner": key.owner, "revoked_at": key.revoked_at });
    show(global, &answer, || format!("{id} of the owner {} is revoked\n", key.owner));
    Ok(CommandResult::Success)
}

async fn recount(aws: &Aws, outputs: &Outputs, owner: &OwnerId, global: &Global) -> Result<CommandResult, ClientError> {
    let catalog = Catalog::bundled().map_err(|error| ClientError::Other(error.to_string()))?;
    let uploads = Services::new(outputs.config(false)?, aws.sdk(), catalog).uploads;
    let now = eventpulse_aws::clock();
    let counted = uploads.open_totals(owner, now).await.map_err(of_aws)?;
    let recounted = uploads.recount_open(owner, now).await.map_err(of_aws)?;
    let totals = |quarantined: u64, pending: u64| json!({ "quarantined": quarantined, "pending": pending });
    let answer = json!({
        "owner": owner,
        "counters": totals(counted.quarantined, counted.pending),
        "histories": totals(recounted.quarantined, recounted.pending),
    });
    show(global, &answer, || {
        let line = |name: &str| {
            let totals = &answer[name];
            format!("{name:<10}{} in quarantine, {} pending\n", cell(&totals["quarantined"]), cell(&totals["pending"]))
        };
        line("counters") + &line("histories")
    });
    Ok(if counted == recounted { CommandResult::Success } else { CommandResult::Rejected })
}

/// Finds an owner by id or e-mail address. An owner whose user was deleted has only the id.
async fn find(pool: &UserPool<'_>, name: &str) -> Result<(OwnerId, Option<PoolUser>), ClientError> {
    let who = if name.contains('@') { Who::Email(name) } else { Who::Owner(name) };
    let user = pool.find(who).await?;
    let id = match (&user, who) {
        (Some(user), _) => user.owner.as_str(),
        (None, Who::Owner(id)) => id,
        (None, Who::Email(email)) => {
            let detail =
                "if the user was deleted, give the owner id, which the log of authorize names for each API key";
            return Err(ClientError::Other(format!("no user has the e-mail address {email}: {detail}")));
        }
    };
    let owner = owner_id(id).map_err(|error| ClientError::Other(format!("{id}: {error}")))?;
    Ok((owner, user))
}

fn offboarded_text(answer: &Value) -> String {
    let revoked = items(answer, "revoked_keys");
    let mut text = format!("{}: offboarded\nuser: {}\n", cell(&answer["owner"]), cell(&answer["user"]));
    text.push_str(&format!("keys revoked now: {}\n", revoked.len()));
    for key in revoked {
        text.push_str(&format!("  {}\n", cell(key)));
    }
    text.push_str("Cached checks of keys end within KeyCacheSeconds; tokens expire within an hour.\n");
    text
}

fn key_id(text: &str) -> Result<KeyId, String> {
    KeyId::parse(text).map_err(|_| "expected an id such as key_01JMZ3S2V8Q9W4X5Y6Z7A8B9C0".to_owned())
}

fn owner_id(text: &str) -> Result<OwnerId, String> {
    OwnerId::parse(text).map_err(|error| error.to_string())
}

fn of_aws(error: eventpulse_aws::Error) -> ClientError {
    ClientError::Other(error.chain())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_an_offboarding_lists_the_revoked_keys() {
        let answer = json!({ "owner": "0a1b", "user": "disabled", "revoked_keys": ["key_1", "key_2"] });
        let expected = "\
0a1b: offboarded
user: disabled
keys revoked now: 2
  key_1
  key_2
Cached checks of keys end within KeyCacheSeconds; tokens expire within an hour.
";
        assert_eq!(offboarded_text(&answer), expected);
    }
}
