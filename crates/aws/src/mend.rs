//! What an owner does with an upload: try what was rejected again, discard it, or take back what counts.
//!
//! Each call reads the history, decides, and appends what was decided before anything else happens, so that two calls
//! at the same time cannot both go ahead, and a call that was cut short can be made again.

use std::time::Duration;

use eventpulse_core::chunk::MAX_ROUNDS;
use eventpulse_core::id::UploadId;
use eventpulse_core::reader::{Format, Media};
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{Event, Fact, QuarantineStatus, Quarantined, RetryForm, State, Upload, retry_key};

use crate::Services;
use crate::error::{Error, Kind};
use crate::issue::Issued;
use crate::objects::{NO_VERSION, PutTerms};
use crate::uploads::Append;

/// How long a retry that this process sends itself may take to arrive, in seconds.
const ARRIVAL_SECONDS: i64 = 300;
/// How long a withdrawal goes on removing chunks before it answers: API Gateway waits 29 s.
const WITHDRAWAL_PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait for an index that does not yet know all chunks.
const INDEX_PAUSE: Duration = Duration::from_millis(250);

/// Why a call changes nothing. An answer, not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// There is no such upload, or none of this owner's.
    NotFound,
    /// The upload does not stand where it would make sense. Says why, and what to do.
    Conflict(String),
}

/// Corrected data that come with the call.
#[derive(Debug, Clone)]
pub struct Correction<'a> {
    /// Their `Content-Type`.
    pub content_type: &'a str,
    /// Their `Content-Encoding`.
    pub content_encoding: Option<&'a str>,
    /// The data.
    pub body: Vec<u8>,
}

/// What a withdrawal came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Withdrawal {
    /// Nothing of the upload counts any more.
    Done(Box<Upload>),
    /// Some of its chunks are still there: call again.
    Unfinished(Box<Upload>),
}

/// What a call comes to, unless AWS does not do its part.
type Answer<T> = Result<Result<T, Refused>, Error>;

/// Tries what was rejected again, as it is: after a change of the schema, say.
///
/// # Errors
/// When AWS does not answer, or refuses.
pub async fn retry_as_it_is(services: &Services, owner: &str, id: &UploadId, now: Timestamp) -> Answer<Upload> {
    let (upload, quarantined) = match retryable(services, owner, id, now).await? {
        Ok(retryable) => retryable,
        Err(refused) => return Ok(Err(refused)),
    };
    let Some(from) = &quarantined.key else {
        let why = "its object was gone before it was read, so there is nothing to try again: send a correction";
        return Ok(Err(Refused::Conflict(why.to_owned())));
    };
    let Some(head) = services.objects.head(&quarantined.bucket, from, None).await? else {
        let why = "what was rejected is no longer kept: send a correction";
        return Ok(Err(Refused::Conflict(why.to_owned())));
    };
    let form = if quarantined.records { RetryForm::RecordsAsTheyAre } else { RetryForm::AsItIs };
    let file_name = from.rsplit('/').next().unwrap_or_default();
    let (upload, key) = match request(services, &upload, form, file_name, ARRIVAL_SECONDS, now).await? {
        Ok(requested) => requested,
        Err(refused) => return Ok(Err(refused)),
    };
    let source = (quarantined.bucket.as_str(), from.as_str(), NO_VERSION);
    let copied = services.objects.copy(source, head.size, (&services.config.process_bucket, &key)).await?;
    if copied { Ok(Ok(upload)) } else { Err(Error::new("CopyObject", from, Kind::Missing)) }
}

/// Tries what was rejected again, corrected. Of an upload that counts in part, the correction replaces the rejected
/// records only.
///
/// # Errors
/// When AWS does not answer, or refuses.
pub async fn retry_corrected(
    services: &Services,
    owner: &str,
    id: &UploadId,
    correction: Correction<'_>,
    now: Timestamp,
) -> Answer<Upload> {
    let Correction { content_type, content_encoding, body } = correction;
    let upload = match retryable(services, owner, id, now).await? {
        Ok((upload, _)) => upload,
        Err(refused) => return Ok(Err(refused)),
    };
    let file_name = corrected_name(content_type);
    let (upload, key) = match request(services, &upload, RetryForm::Corrected, file_name, ARRIVAL_SECONDS, now).await? {
        Ok(requested) => requested,
        Err(refused) => return Ok(Err(refused)),
    };
    let to = (services.config.process_bucket.as_str(), key.as_str());
    services.objects.put(to, content_type, content_encoding, body).await?;
    Ok(Ok(upload))
}

/// Signs a PUT for a correction that is too large to come with the call. Unless it is used in time, nothing changes.
///
/// # Errors
/// When AWS does not answer, or refuses.
pub async fn presign_correction(
    services: &Services,
    owner: &str,
    id: &UploadId,
    terms: &PutTerms<'_>,
    now: Timestamp,
) -> Answer<Issued> {
    let upload = match retryable(services, owner, id, now).await? {
        Ok((upload, _)) => upload,
        Err(refused) => return Ok(Err(refused)),
    };
    let seconds = i64::try_from(terms.expires_in.as_secs()).unwrap_or(ARRIVAL_SECONDS);
    let file_name = corrected_name(terms.content_type);
    let (upload, key) = match request(services, &upload, RetryForm::Corrected, file_name, seconds, now).await? {
        Ok(requested) => requested,
        Err(refused) => return Ok(Err(refused)),
    };
    let put = services.objects.presign_put(&services.config.process_bucket, &key, terms).await?;
    Ok(Ok(Issued { upload_id: upload.id, key, put, expires_at: now.plus_seconds(seconds) }))
}

/// Discards what was rejected. What counts goes on counting.
///
/// # Errors
/// When AWS does not answer, or refuses: call again.
pub async fn discard(services: &Services, owner: &str, id: &UploadId, now: Timestamp) -> Answer<Upload> {
    let Some(mut upload) = owned(services, owner, id).await? else { return Ok(Err(Refused::NotFound)) };
    match upload.quarantine_status(now) {
        Some(QuarantineStatus::Discarded) => {} // again: an earlier call may have been cut short
        Some(QuarantineStatus::Open | QuarantineStatus::Retrying) if !upload.is_at_work() => {
            let fact = Fact::Discarded { by: owner.to_owned() };
            if let Err(refused) = append(services, &mut upload, fact, now).await? {
                return Ok(Err(refused));
            }
        }
        status => return Ok(Err(nothing_in_quarantine(status))),
    }
    if let Some(Quarantined { bucket, key, report_key, .. }) = &upload.quarantined {
        for key in key.iter().chain([report_key]) {
            services.objects.hide(bucket, key).await?;
        }
    }
    Ok(Ok(upload))
}

/// Takes back what counts: its chunks leave every answer, and the same bytes may be sent and count again.
///
/// # Errors
/// When AWS does not answer, or refuses: call again.
pub async fn withdraw(services: &Services, owner: &str, id: &UploadId, now: Timestamp) -> Answer<Withdrawal> {
    let Some(mut upload) = owned(services, owner, id).await? else { return Ok(Err(Refused::NotFound)) };
    if upload.withdrawn {
        return Ok(Ok(Withdrawal::Done(Box::new(upload))));
    }
    let is_resumed = upload.withdrawal_requested;
    if !is_resumed {
        if let Some(why) = why_not_to_withdraw(&upload, now) {
            return Ok(Err(Refused::Conflict(why)));
        }
        if let Err(refused) =
            append(services, &mut upload, Fact::WithdrawalRequested { by: owner.to_owned() }, now).await?
        {
            return Ok(Err(refused));
        }
    }
    // How many an earlier call removed is not known: then the index is believed.
    let expected = if is_resumed { 0 } else { upload.chunks };
    match tokio::time::timeout(WITHDRAWAL_PATIENCE, remove_chunks(services, id, expected)).await {
        Ok(removed) => removed?,
        Err(_) => return Ok(Ok(Withdrawal::Unfinished(Box::new(upload)))),
    }
    for claim in &upload.claims {
        services.uploads.release(owner, claim, id).await?;
    }
    match append(services, &mut upload, Fact::Withdrawn, now).await? {
        Ok(()) => Ok(Ok(Withdrawal::Done(Box::new(upload)))),
        Err(refused) => Ok(Err(refused)),
    }
}

/// Removes chunks until at least so many are removed and no more are known: the index may lag behind the table.
async fn remove_chunks(services: &Services, id: &UploadId, expected: u64) -> Result<(), Error> {
    let mut removed = 0;
    loop {
        removed += services.chunks.delete_of_upload(id, None).await?;
        if removed >= expected {
            return Ok(());
        }
        tokio::time::sleep(INDEX_PAUSE).await;
    }
}

/// Why there is nothing to withdraw, if so.
fn why_not_to_withdraw(upload: &Upload, now: Timestamp) -> Option<String> {
    let why = match upload.state_at(now) {
        _ if upload.is_at_work() => "it is being processed: try again when it has an outcome",
        State::Accepted | State::PartiallyAccepted => return None,
        State::Issued => "nothing has arrived yet: do not send it, the URL expires by itself",
        State::Expired => "nothing of it ever arrived",
        State::Duplicate => {
            let of = upload.duplicate_of().map_or_else(String::new, ToString::to_string);
            return Some(format!("it is a duplicate and counts under {of}: withdraw that one"));
        }
        State::Quarantined => "nothing of it counts: discard it with DELETE /quarantine/{upload_id}",
        State::Received | State::Failed => "it is being processed: try again when it has an outcome",
        State::Withdrawn | State::Discarded => "nothing of it counts",
    };
    Some(why.to_owned())
}

/// The upload, if it is this owner's.
async fn owned(services: &Services, owner: &str, id: &UploadId) -> Result<Option<Upload>, Error> {
    Ok(services.uploads.load(id).await?.filter(|upload| upload.intake.owner == owner))
}

/// The upload and what of it lies in quarantine, if that can be tried again now.
async fn retryable(services: &Services, owner: &str, id: &UploadId, now: Timestamp) -> Answer<(Upload, Quarantined)> {
    let Some(upload) = owned(services, owner, id).await? else { return Ok(Err(Refused::NotFound)) };
    let status = upload.quarantine_status(now);
    if status != Some(QuarantineStatus::Open) && !is_repeatable(&upload, status) {
        return Ok(Err(nothing_in_quarantine(status)));
    }
    if upload.attempt + 1 >= MAX_ROUNDS {
        let why = "it was tried too often: make a new upload of what is corrected, and discard this";
        return Ok(Err(Refused::Conflict(why.to_owned())));
    }
    let Some(quarantined) = upload.quarantined.clone() else { return Ok(Err(nothing_in_quarantine(status))) };
    Ok(Ok((upload, quarantined)))
}

/// Whether a retry that was asked for may be asked for once more: the request before may have been cut short. Whichever
/// object arrives for an earlier request is then removed, unread.
fn is_repeatable(upload: &Upload, status: Option<QuarantineStatus>) -> bool {
    status == Some(QuarantineStatus::Retrying) && upload.retry.is_some()
}

fn nothing_in_quarantine(status: Option<QuarantineStatus>) -> Refused {
    Refused::Conflict(
        match status {
            None => "nothing of it lies in quarantine",
            Some(QuarantineStatus::Retrying) => "it is being tried again: wait for its outcome",
            Some(QuarantineStatus::Open) => "it is being processed: try again in a moment",
            Some(QuarantineStatus::Resolved) => "a retry has succeeded: nothing is left in quarantine",
            Some(QuarantineStatus::Discarded) => "it was discarded: make a new upload",
            Some(QuarantineStatus::Withdrawn) => "the upload was withdrawn: make a new one",
        }
        .to_owned(),
    )
}

/// Notes that a retry is asked for. Returns the key that it is to come under.
async fn request(
    services: &Services,
    upload: &Upload,
    form: RetryForm,
    file_name: &str,
    seconds: i64,
    now: Timestamp,
) -> Answer<(Upload, String)> {
    let key = retry_key(&upload.id, upload.retries_requested + 1, file_name);
    let (by, expires_at) = (upload.intake.owner.clone(), now.plus_seconds(seconds));
    let mut upload = upload.clone();
    let fact = Fact::RetryRequested { by, key: key.clone(), form, expires_at };
    Ok(append(services, &mut upload, fact, now).await?.map(|()| (upload, key)))
}

/// Appends one event, unless somebody else was faster.
async fn append(services: &Services, upload: &mut Upload, fact: Fact, now: Timestamp) -> Answer<()> {
    let event = Event::new(now, fact);
    let revision = upload.revision;
    upload.apply(&event);
    Ok(match services.uploads.append(upload, revision, &[event]).await? {
        Append::Done => Ok(()),
        Append::Conflict => {
            Err(Refused::Conflict("somebody else changed it at the same time: look at it, then try again".to_owned()))
        }
    })
}

/// The name of a correction: its ending says what it is.
fn corrected_name(content_type: &str) -> &'static str {
    match Media::parse(Some(content_type), None, "").map(|media| media.format) {
        Ok(Format::Ndjson) => "corrected.ndjson",
        _ => "corrected.json",
    }
}
