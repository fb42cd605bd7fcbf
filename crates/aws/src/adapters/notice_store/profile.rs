//! Profiles: `pk = owner#<owner>`, `sk = profile#<kind of upload>`, `uploads`, `last_passed_at`, and a counter for each
//! type of a declared member, `<type>:<pointer>`. A profile holds no values, and only names from schemas.
//!
//! The attribute `open` is the open mark: it is not empty while open problems of this kind await an upload that passes. It
//! holds the time of its last change and, once the problems are known, the sources that they await. The update that counts
//! a passed upload also returns the mark, which says whether to record that the upload passed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use eventpulse_core::intake::shape::{JsonType, Shape};
use eventpulse_core::notification::occurrence::PassedKind;
use eventpulse_core::notification::profile::Profile;
use eventpulse_core::notification::source::Source;
use eventpulse_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::table::{NoticeStore, expires};
use crate::adapters::dynamodb::item::{Item, n, s, text};
use crate::error::{Error, is_condition_failed};

/// A profile is kept for this time after the last upload.
const KEEP_PROFILE: Duration = Duration::from_secs(400 * 86_400);
/// The maximum number of sources in an open mark. With more, it stands for any source.
const MAX_AWAITED_SOURCES: usize = 50;

/// The open mark of a kind of upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenMark {
    text: String,
    awaited: Awaited,
}

/// The contents of an open mark, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Awaited {
    /// The time of the change, so that two marks differ.
    at: String,
    /// The awaited sources; `None` stands for any source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sources: Option<BTreeSet<Source>>,
}

impl Awaited {
    fn new(sources: Option<BTreeSet<Source>>, now: Timestamp) -> Self {
        Self { at: now.sortable(), sources: sources.filter(|sources| sources.len() <= MAX_AWAITED_SOURCES) }
    }
}

impl OpenMark {
    /// Parses the attribute. One that cannot be read stands for any source.
    fn parse(text: &str) -> Option<Self> {
        let awaited = serde_json::from_str(text).unwrap_or_default();
        (!text.is_empty()).then(|| Self { text: text.to_owned(), awaited })
    }

    /// Returns whether an open problem may await an upload of this source.
    #[must_use]
    pub fn awaits(&self, source: &Source) -> bool {
        self.awaited.sources.as_ref().is_none_or(|sources| sources.contains(source))
    }
}

/// The passed uploads of one owner, by kind of upload.
#[derive(Debug, Default)]
pub struct Passed {
    kinds: BTreeMap<String, OfKind>,
}

#[derive(Debug, Default)]
struct OfKind {
    uploads: u64,
    members: BTreeMap<(Arc<str>, JsonType), u64>,
    sources: BTreeSet<Source>,
}

impl Passed {
    /// Adds an upload with records of these shapes. `requested_kind`: the kind that it requested; problems of this kind may
    /// be about uploads that could not be parsed. `source`: `None` for a retry, which no problem awaits.
    pub fn add(&mut self, shapes: &[Shape], requested_kind: &str, source: Option<&Source>) {
        self.kinds.entry(requested_kind.to_owned()).or_default().sources.extend(source.cloned());
        for Shape { kind, members } in shapes {
            let of_kind = self.kinds.entry(kind.to_string()).or_default();
            of_kind.uploads += 1;
            of_kind.sources.extend(source.cloned());
            for member in members {
                *of_kind.members.entry(member.clone()).or_default() += 1;
            }
        }
    }

    /// Returns the kinds of upload, with the sources of their uploads.
    #[must_use]
    pub fn kinds(&self) -> Vec<PassedKind> {
        self.kinds.iter().filter_map(|(kind, of_kind)| of_kind.awaited(kind, |_| true)).collect()
    }
}

impl OfKind {
    /// Returns the sources that are awaited; `None` if there are none.
    fn awaited(&self, kind: &str, is_awaited: impl Fn(&Source) -> bool) -> Option<PassedKind> {
        let sources: Vec<Source> = self.sources.iter().filter(|source| is_awaited(source)).cloned().collect();
        (!sources.is_empty()).then(|| PassedKind { kind_of_upload: kind.to_owned(), sources })
    }
}

impl NoticeStore {
    /// Counts passed uploads of one owner in the profiles. Returns the kinds and sources that open problems may await.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn count(&self, owner: &str, passed: &Passed, now: Timestamp) -> Result<Vec<PassedKind>, Error> {
        let mut open = Vec::new();
        for (kind, of_kind) in &passed.kinds {
            let mark = if of_kind.uploads == 0 {
                self.open_mark(owner, kind).await?
            } else {
                self.count_kind(owner, kind, of_kind, now).await?
            };
            open.extend(mark.and_then(|mark| of_kind.awaited(kind, |source| mark.awaits(source))));
        }
        Ok(open)
    }

    async fn count_kind(
        &self,
        owner: &str,
        kind: &str,
        OfKind { uploads, members, .. }: &OfKind,
        now: Timestamp,
    ) -> Result<Option<OpenMark>, Error> {
        let mut names = HashMap::from([
            ("#uploads".to_owned(), "uploads".to_owned()),
            ("#last".to_owned(), "last_passed_at".to_owned()),
            ("#open".to_owned(), "open".to_owned()),
        ]);
        let mut values = Item::from([
            (":uploads".to_owned(), n(uploads.to_string())),
            (":now".to_owned(), s(now.to_string())),
            (":closed".to_owned(), s("")),
            (":expires".to_owned(), expires(now, KEEP_PROFILE)),
        ]);
        let mut add = "ADD #uploads :uploads".to_owned();
        for (index, ((pointer, json_type), count)) in members.iter().enumerate() {
            add.push_str(&format!(", #{index} :{count}"));
            names.insert(format!("#{index}"), format!("{}:{pointer}", json_type.as_str()));
            values.insert(format!(":{count}"), n(count.to_string()));
        }
        // This sets `open` to itself, so that the answer returns it.
        let set = " SET #last = :now, expires_at = :expires, #open = if_not_exists(#open, :closed)";
        let update = self.client.update_item().table_name(&self.table).set_key(Some(self.profile_key(owner, kind)));
        let update = update.update_expression(add + set).set_expression_attribute_names(Some(names));
        let update = update.set_expression_attribute_values(Some(values)).return_values(ReturnValue::UpdatedNew);
        let output = update.send().await.map_err(|error| Error::sdk("UpdateItem", self.target(owner), error))?;
        Ok(output.attributes.as_ref().and_then(open_in))
    }

    /// Marks that open problems of this kind may await any source.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn mark_open(&self, owner: &str, kind: &str, now: Timestamp) -> Result<(), Error> {
        self.set_open(owner, kind, Some(Awaited::new(None, now)), None).await
    }

    /// Marks that open problems of this kind await these sources only, if the mark is still `mark`.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn mark_awaited(
        &self,
        owner: &str,
        kind: &str,
        mark: &OpenMark,
        sources: BTreeSet<Source>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let awaited = (!sources.is_empty()).then(|| Awaited::new(Some(sources), now));
        self.set_open(owner, kind, awaited, Some(mark)).await
    }

    async fn set_open(
        &self,
        owner: &str,
        kind: &str,
        awaited: Option<Awaited>,
        if_mark: Option<&OpenMark>,
    ) -> Result<(), Error> {
        let json = awaited.map(|awaited| serde_json::to_string(&awaited)).transpose();
        let open = json.map_err(|error| self.corrupt("UpdateItem", owner).with_source(error))?.unwrap_or_default();
        let update = self.client.update_item().table_name(&self.table).set_key(Some(self.profile_key(owner, kind)));
        let update = update.update_expression("SET #open = :open").expression_attribute_names("#open", "open");
        let mut update = update.expression_attribute_values(":open", s(open));
        if let Some(mark) = if_mark {
            update = update.condition_expression("#open = :mark").expression_attribute_values(":mark", s(&mark.text));
        }
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_condition_failed(&error) => Ok(()),
            Err(error) => Err(Error::sdk("UpdateItem", self.target(owner), error)),
        }
    }

    /// Loads the open mark of this kind; `None` if no problem awaits an upload.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn open_mark(&self, owner: &str, kind: &str) -> Result<Option<OpenMark>, Error> {
        Ok(self.profile_item(owner, kind).await?.as_ref().and_then(open_in))
    }

    /// Loads an owner's profile of a kind of upload.
    ///
    /// # Errors
    /// See [`crate::error`].
    pub async fn profile(&self, owner: &str, kind: &str) -> Result<Profile, Error> {
        let Some(item) = self.profile_item(owner, kind).await? else { return Ok(Profile::default()) };
        let count = |value: &AttributeValue| value.as_n().ok()?.parse::<u64>().ok();
        let mut profile = Profile {
            uploads: item.get("uploads").and_then(count).unwrap_or_default(),
            last_passed_at: text(&item, "last_passed_at").and_then(Timestamp::parse),
            members: BTreeMap::new(),
        };
        for (name, value) in &item {
            let counter = name.split_once(':').and_then(|(name, pointer)| Some((JsonType::parse(name)?, pointer)));
            if let (Some((json_type, pointer)), Some(count)) = (counter, count(value)) {
                profile.members.entry(pointer.to_owned()).or_default().insert(json_type, count);
            }
        }
        Ok(profile)
    }

    async fn profile_item(&self, owner: &str, kind: &str) -> Result<Option<Item>, Error> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(self.profile_key(owner, kind)));
        let output = get.consistent_read(true).send().await;
        Ok(output.map_err(|error| Error::sdk("GetItem", self.target(owner), error))?.item)
    }

    fn profile_key(&self, owner: &str, kind: &str) -> Item {
        self.item(owner, format!("profile#{kind}"))
    }
}

fn open_in(item: &Item) -> Option<OpenMark> {
    OpenMark::parse(text(item, "open")?)
}
