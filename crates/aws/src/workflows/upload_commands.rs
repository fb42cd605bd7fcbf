//! What an owner does with an upload: try what was rejected again, discard it, or take back what counts.
//!
//! Each call reads the history, decides, and appends what was decided before anything else happens, so that two calls
//! at the same time cannot both go ahead, and a call that was cut short can be made again.

use std::time::Duration;

use eventpulse_core::id::{OwnerId, UploadId};
use eventpulse_core::intake::reader::{Format, Media};
use eventpulse_core::statistics::chunk::MAX_ATTEMPTS;
use eventpulse_core::statistics::series::Series;
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{
    QuarantineLocation, QuarantineStatus, RecordedEvent, RetryForm, SharedChunk, Upload, UploadEvent, UploadState,
    retry_key,
};

use crate::Services;
use crate::adapters::object_store::{NO_VERSION, PutOptions};
use crate::adapters::upload_store::Append;
use crate::error::{Error, Kind};
use crate::workflows::issue::Issued;

/// How long a retry that this process sends itself may take to arrive, in seconds.
const ARRIVAL_SECONDS: i64 = 300;
/// How long a withdrawal goes on removing chunks before it answers: API Gateway waits 29 s.
const WITHDRAWAL_PATIENCE: Duration = Duration::from_secs(20);
/// How often something is decided anew because somebody else wrote in between.
const ATTEMPTS: u32 = 8;
/// How long to wait for an index that does not yet know all chunks.
const INDEX_PAUSE: Duration = Duration::from_millis(250);
/// How often it is looked at: 10 s in all.
const INDEX_LOOKS: u32 = 40;

/// Why a call changes nothing. An answer, not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandRefusal {
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
type Answer<T> = Result<Result<T, CommandRefusal>, Error>;

/// Tries what was rejected again, as it is: after a change of the schema, say.
///
/// # Errors
/// When AWS does not answer, or refuses.
pub async fn retry_as_it_is(services: &Services, owner: &OwnerId, id: &UploadId, now: Timestamp) -> Answer<Upload> {
    let Some(upload) = owned(services, owner, id).await? else { return Ok(Err(CommandRefusal::NotFound)) };
    let quarantined = match retryable(&upload, now) {
        Ok(quarantined) => quarantined.clone(),
        Err(refused) => return Ok(Err(refused)),
    };
    let gone = || CommandRefusal::Conflict("there is nothing left of it to try again: send a correction".to_owned());
    let Some(from) = &quarantined.key else { return Ok(Err(gone())) };
    let Some(head) = services.objects.head(&quarantined.bucket, from, None).await? else { return Ok(Err(gone())) };
    let form = if quarantined.records { RetryForm::UnchangedRecords } else { RetryForm::Unchanged };
    let file_name = from.rsplit('/').next().unwrap_or_default();
    let requested = decide(services, owner, id, now, |upload| match retryable(upload, now)? == &quarantined {
        true => Ok(request(upload, form, file_name, ARRIVAL_SECONDS, now)),
        false => Err(CommandRefusal::Conflict("it was tried again meanwhile: look at what came of that".to_owned())),
    });
    let (upload, key) = match requested.await? {
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
    owner: &OwnerId,
    id: &UploadId,
    correction: Correction<'_>,
    now: Timestamp,
) -> Answer<Upload> {
    let Correction { content_type, content_encoding, body } = correction;
    let (upload, key) = match request_correction(services, owner, id, (content_type, ARRIVAL_SECONDS), now).await? {
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
    owner: &OwnerId,
    id: &UploadId,
    terms: &PutOptions<'_>,
) -> Answer<Issued> {
    let now = terms.now;
    let seconds = i64::try_from(terms.expires_in.as_secs()).unwrap_or(ARRIVAL_SECONDS);
    let (upload, key) = match request_correction(services, owner, id, (terms.content_type, seconds), now).await? {
        Ok(requested) => requested,
        Err(refused) => return Ok(Err(refused)),
    };
    let put = services.objects.presign_put(&services.config.process_bucket, &key, terms).await?;
    Ok(Ok(Issued { upload_id: upload.id().clone(), key, put, expires_at: now.plus_seconds(seconds) }))
}

async fn request_correction(
    services: &Services,
    owner: &OwnerId,
    id: &UploadId,
    (content_type, seconds): (&str, i64),
    now: Timestamp,
) -> Answer<(Upload, String)> {
    let file_name = corrected_name(content_type);
    decide(services, owner, id, now, |upload| {
        retryable(upload, now).map(|_| request(upload, RetryForm::Corrected, file_name, seconds, now))
    })
    .await
}

/// Discards what was rejected. What counts goes on counting.
///
/// # Errors
/// When AWS does not answer, or refuses: call again.
pub async fn discard(services: &Services, owner: &OwnerId, id: &UploadId, now: Timestamp) -> Answer<Upload> {
    let Some(mut upload) = owned(services, owner, id).await? else { return Ok(Err(CommandRefusal::NotFound)) };
    // Again, it is only tidied up: an earlier call may have been cut short.
    if !upload.is_discarded() || upload.is_withdrawal_requested() {
        let discarded = decide(services, owner, id, now, |upload| match upload.quarantine_status(now) {
            Some(QuarantineStatus::Open) => Ok((UploadEvent::Discarded { by: owner.clone() }, ())),
            Some(QuarantineStatus::Retrying) if !upload.is_at_work() => {
                Ok((UploadEvent::Discarded { by: owner.clone() }, ()))
            }
            status => Err(nothing_in_quarantine(status)),
        });
        match discarded.await? {
            Ok((discarded, ())) => upload = discarded,
            Err(refused) => return Ok(Err(refused)),
        }
    }
    if let Some(QuarantineLocation { bucket, key, report_key, .. }) = upload.quarantine_location() {
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
pub async fn withdraw(services: &Services, owner: &OwnerId, id: &UploadId, now: Timestamp) -> Answer<Withdrawal> {
    let Some(mut upload) = owned(services, owner, id).await? else { return Ok(Err(CommandRefusal::NotFound)) };
    if upload.is_withdrawn() {
        return Ok(Ok(Withdrawal::Done(Box::new(upload))));
    }
    let is_resumed = upload.is_withdrawal_requested();
    if !is_resumed {
        let requested = decide(services, owner, id, now, |upload| match why_not_to_withdraw(upload, now) {
            None => Ok((UploadEvent::WithdrawalRequested { by: owner.clone() }, ())),
            Some(why) => Err(CommandRefusal::Conflict(why)),
        });
        match requested.await? {
            Ok((requested, ())) => upload = requested,
            Err(refused) => return Ok(Err(refused)),
        }
    }
    // How many an earlier call removed is not known: then the index is believed.
    let expected = if is_resumed { 0 } else { upload.chunk_count() };
    match tokio::time::timeout(WITHDRAWAL_PATIENCE, remove_chunks(services, &upload, expected)).await {
        Ok(removed) => removed?,
        Err(_) => return Ok(Ok(Withdrawal::Unfinished(Box::new(upload)))),
    }
    for claim in upload.claims() {
        services.uploads.release(owner, claim, id).await?;
    }
    let done = decide(services, owner, id, now, |_| Ok((UploadEvent::Withdrawn, ()))).await?;
    Ok(done.map(|(upload, ())| Withdrawal::Done(Box::new(upload))))
}

/// Takes the upload out of the chunks that it shares, and removes its own until at least so many are removed and no more
/// are known: the index may lag behind the table. Not for ever: another call may have removed some.
async fn remove_chunks(services: &Services, upload: &Upload, expected: u64) -> Result<(), Error> {
    let (id, origin) = (upload.id(), upload.origin());
    for SharedChunk { entity, measure, sort_key } in upload.shared_chunks() {
        let series = Series { owner: origin.owner.clone(), entity: entity.clone(), measure: measure.clone() };
        services.chunks.take_out(&series, sort_key, id).await?;
    }
    let mut removed = 0;
    for _ in 0..INDEX_LOOKS {
        removed += services.chunks.delete_of_upload(id, None).await?;
        if removed >= expected {
            break;
        }
        tokio::time::sleep(INDEX_PAUSE).await;
    }
    Ok(())
}

/// Why there is nothing to withdraw, if so.
fn why_not_to_withdraw(upload: &Upload, now: Timestamp) -> Option<String> {
    let why = match upload.state_at(now) {
        _ if upload.is_at_work() => "it is being processed: try again when it has an outcome",
        UploadState::Accepted | UploadState::PartiallyAccepted => return None,
        UploadState::Issued => "nothing has arrived yet: do not send it, the URL expires by itself",
        UploadState::Expired => "nothing of it ever arrived",
        UploadState::Duplicate => {
            let of = upload.duplicate_of().map_or_else(String::new, ToString::to_string);
            return Some(format!("it is a duplicate and counts under {of}: withdraw that one"));
        }
        UploadState::Quarantined => "nothing of it counts: discard it with DELETE /quarantine/{upload_id}",
        UploadState::Received | UploadState::Failed => "it is being processed: try again when it has an outcome",
        UploadState::Withdrawn | UploadState::Discarded => "nothing of it counts",
    };
    Some(why.to_owned())
}

/// The upload, if it is this owner's.
async fn owned(services: &Services, owner: &OwnerId, id: &UploadId) -> Result<Option<Upload>, Error> {
    Ok(services.uploads.load(id).await?.filter(|upload| upload.origin().owner == *owner))
}

/// What lies in quarantine, if that can be tried again now.
fn retryable(upload: &Upload, now: Timestamp) -> Result<&QuarantineLocation, CommandRefusal> {
    let status = upload.quarantine_status(now);
    if let Some(retry) = upload.pending_retry().filter(|retry| now < retry.expires_at) {
        // Another request now would leave what this one brings unread.
        let why =
            format!("a retry is on its way: wait for its outcome, or until {} if it never arrives", retry.expires_at);
        return Err(CommandRefusal::Conflict(why));
    }
    if status != Some(QuarantineStatus::Open) {
        return Err(nothing_in_quarantine(status));
    }
    if upload.attempt() + 1 >= MAX_ATTEMPTS {
        let why = "it was tried too often: make a new upload of what is corrected, and discard this";
        return Err(CommandRefusal::Conflict(why.to_owned()));
    }
    upload.quarantine_location().ok_or_else(|| nothing_in_quarantine(status))
}

/// That a retry is asked for, and the key that it is to come under.
fn request(upload: &Upload, form: RetryForm, file_name: &str, seconds: i64, now: Timestamp) -> (UploadEvent, String) {
    let key = retry_key(upload.id(), upload.retries_requested() + 1, file_name);
    let (by, expires_at) = (upload.origin().owner.clone(), now.plus_seconds(seconds));
    (UploadEvent::RetryRequested { by, key: key.clone(), form, expires_at }, key)
}

fn nothing_in_quarantine(status: Option<QuarantineStatus>) -> CommandRefusal {
    CommandRefusal::Conflict(
        match status {
            None => "nothing of it lies in quarantine, or not yet",
            Some(QuarantineStatus::Retrying) => "it is being tried again: wait for its outcome",
            Some(QuarantineStatus::Open) => "it is being processed: try again in a moment",
            Some(QuarantineStatus::Resolved) => "a retry has succeeded: nothing is left in quarantine",
            Some(QuarantineStatus::Discarded) => "it was discarded: make a new upload",
            Some(QuarantineStatus::Withdrawn) => "the upload was withdrawn: make a new one",
        }
        .to_owned(),
    )
}

/// Appends what is decided of an upload of this owner; decides anew when somebody else wrote in between.
async fn decide<T>(
    services: &Services,
    owner: &OwnerId,
    id: &UploadId,
    now: Timestamp,
    decision: impl Fn(&Upload) -> Result<(UploadEvent, T), CommandRefusal>,
) -> Answer<(Upload, T)> {
    for _ in 0..ATTEMPTS {
        let Some(mut upload) = owned(services, owner, id).await? else { return Ok(Err(CommandRefusal::NotFound)) };
        let (fact, more) = match decision(&upload) {
            Ok(decided) => decided,
            Err(refused) => return Ok(Err(refused)),
        };
        let (event, revision) = (RecordedEvent::new(now, fact), upload.revision());
        upload.apply(&event);
        if services.uploads.append(&upload, revision, &[event]).await? == Append::Done {
            return Ok(Ok((upload, more)));
        }
    }
    Err(Error::new("deciding", id.as_str(), Kind::Contended))
}

/// The name of a correction: its ending says what it is.
fn corrected_name(content_type: &str) -> &'static str {
    match Media::parse(Some(content_type), None, "").map(|media| media.format) {
        Ok(Format::Ndjson) => "corrected.ndjson",
        _ => "corrected.json",
    }
}
