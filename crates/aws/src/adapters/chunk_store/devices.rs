//! The devices and measures of an owner. No list of devices is stored: queries skip through the index of chunks by owner and
//! series, so that a device is listed exactly as long as it has chunks (the index follows within moments).

use aws_sdk_dynamodb::operation::query::QueryOutput;
use eventpulse_core::id::OwnerId;
use eventpulse_core::statistics::chunk::entity_prefix;

use super::ChunkStore;
use crate::adapters::dynamodb::item::{Item, s, text};
use crate::adapters::page::Page;
use crate::error::{Error, Kind};

/// The index.
const BY_OWNER: &str = "by_owner";
/// The entries read per query. The rest of a series with more entries is skipped.
const READ_AHEAD: i32 = 100;
/// A suffix that makes a prefix larger than every listing key with that prefix.
const AFTER_PREFIX: char = char::MAX;

/// A device and its measures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The entity of its series: its id.
    pub entity: String,
    /// Its measures, by name.
    pub measures: Vec<String>,
}

impl ChunkStore {
    /// Lists the devices of an owner. `after` is the [`Page::next`] of the previous page.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn devices(&self, owner: &OwnerId, limit: usize, after: Option<&str>) -> Result<Page<Device>, Error> {
        let mut items: Vec<Device> = Vec::new();
        let mut position = after.unwrap_or_default().to_owned();
        loop {
            let page = self.series_after(owner, &position, None).await?;
            let entries = page.items();
            for item in entries {
                let (entity, measure, key) = self.entry(item)?;
                let is_new = items.last().is_none_or(|device| device.entity != entity);
                if is_new && items.len() == limit {
                    let next = items.last().map(|device| format!("{}{AFTER_PREFIX}", entity_prefix(&device.entity)));
                    return Ok(Page { items, next });
                }
                if is_new {
                    items.push(Device { entity: entity.to_owned(), measures: Vec::new() });
                }
                if let Some(device) = items.last_mut()
                    && device.measures.last().is_none_or(|known| known != measure)
                {
                    device.measures.push(measure.to_owned());
                }
                key.clone_into(&mut position);
            }
            if page.last_evaluated_key.is_none() {
                return Ok(Page { items, next: None });
            }
        }
    }

    /// Lists the measures of a device by name; none if there is no such device.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn measures(&self, owner: &OwnerId, entity: &str) -> Result<Vec<String>, Error> {
        let prefix = entity_prefix(entity);
        let mut measures: Vec<String> = Vec::new();
        let mut position = prefix.clone();
        loop {
            let page = self.series_after(owner, &position, Some(&prefix)).await?;
            for item in page.items() {
                let (_, measure, key) = self.entry(item)?;
                if measures.last().is_none_or(|known| known != measure) {
                    measures.push(measure.to_owned());
                }
                key.clone_into(&mut position);
            }
            if page.last_evaluated_key.is_none() {
                return Ok(measures);
            }
        }
    }

    /// Queries the entries after a series: at least one entry of the next series, if there is one.
    async fn series_after(&self, owner: &OwnerId, position: &str, prefix: Option<&str>) -> Result<QueryOutput, Error> {
        let hi = format!("{}{AFTER_PREFIX}", prefix.unwrap_or_default());
        // The least text after the position. No key is another key with a control character appended.
        let lo = format!("{position}\u{0}");
        let query = self.client.query().table_name(&self.table).index_name(BY_OWNER).limit(READ_AHEAD);
        let query = query.key_condition_expression("#owner = :owner AND series BETWEEN :lo AND :hi");
        let query = query.expression_attribute_names("#owner", "owner").expression_attribute_values(":owner", s(owner));
        let query = query.expression_attribute_values(":lo", s(lo)).expression_attribute_values(":hi", s(hi));
        query.send().await.map_err(|error| Error::sdk("Query", self.table.as_str(), error))
    }

    /// Returns the entity, measure and listing key of an entry.
    fn entry<'a>(&self, item: &'a Item) -> Result<(&'a str, &'a str, &'a str), Error> {
        let entry = (|| Some((text(item, "entity")?, text(item, "measure")?, text(item, "series")?)))();
        entry.ok_or_else(|| self.error("Query", Kind::Corrupt))
    }
}
