//! What an owner has data of. No list of devices is kept: the index of chunks by owner and series is skipped through, so
//! that a device is listed exactly as long as something of it counts (give or take the moment that an index lags).

use aws_sdk_dynamodb::operation::query::QueryOutput;
use eventpulse_core::statistics::chunk::entity_prefix;

use super::ChunkStore;
use crate::adapters::dynamodb::item::{Item, s, text};
use crate::adapters::page::Page;
use crate::error::{Error, Kind};

/// The index.
const BY_OWNER: &str = "by_owner";
/// How many of its entries are read at a time. A series that has more of them is skipped to its end.
const READ_AHEAD: i32 = 100;
/// Larger than any listing key that begins with what it follows.
const BEYOND: char = char::MAX;

/// A device, and what is measured of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The entity, e.g. a device id.
    pub entity: String,
    /// Its measures, by name.
    pub measures: Vec<String>,
}

impl ChunkStore {
    /// The devices of an owner. `after` is the [`Page::next`] of the page before.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn devices(&self, owner: &str, limit: usize, after: Option<&str>) -> Result<Page<Device>, Error> {
        let mut items: Vec<Device> = Vec::new();
        let mut place = after.unwrap_or_default().to_owned();
        loop {
            let page = self.series_after(owner, &place, None).await?;
            let entries = page.items();
            for item in entries {
                let (entity, measure, key) = self.entry(item)?;
                let is_new = items.last().is_none_or(|device| device.entity != entity);
                if is_new && items.len() == limit {
                    let next = items.last().map(|device| format!("{}{BEYOND}", entity_prefix(&device.entity)));
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
                key.clone_into(&mut place);
            }
            if page.last_evaluated_key.is_none() {
                return Ok(Page { items, next: None });
            }
        }
    }

    /// The measures of one device, by name. Empty when there is no such device.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn measures(&self, owner: &str, entity: &str) -> Result<Vec<String>, Error> {
        let prefix = entity_prefix(entity);
        let mut measures: Vec<String> = Vec::new();
        let mut place = prefix.clone();
        loop {
            let page = self.series_after(owner, &place, Some(&prefix)).await?;
            for item in page.items() {
                let (_, measure, key) = self.entry(item)?;
                if measures.last().is_none_or(|known| known != measure) {
                    measures.push(measure.to_owned());
                }
                key.clone_into(&mut place);
            }
            if page.last_evaluated_key.is_none() {
                return Ok(measures);
            }
        }
    }

    /// The chunks' entries behind a series (at least one entry of the next series, if there is one).
    async fn series_after(&self, owner: &str, place: &str, prefix: Option<&str>) -> Result<QueryOutput, Error> {
        let hi = format!("{}{BEYOND}", prefix.unwrap_or_default());
        // No two series' keys differ in this only: a key never ends in a control character that follows another key.
        let lo = format!("{place}\u{0}");
        let query = self.client.query().table_name(&self.table).index_name(BY_OWNER).limit(READ_AHEAD);
        let query = query.key_condition_expression("#owner = :owner AND series BETWEEN :lo AND :hi");
        let query = query.expression_attribute_names("#owner", "owner").expression_attribute_values(":owner", s(owner));
        let query = query.expression_attribute_values(":lo", s(lo)).expression_attribute_values(":hi", s(hi));
        query.send().await.map_err(|error| Error::sdk("Query", self.table.as_str(), error))
    }

    /// Entity, measure and key of an entry.
    fn entry<'a>(&self, item: &'a Item) -> Result<(&'a str, &'a str, &'a str), Error> {
        let entry = (|| Some((text(item, "entity")?, text(item, "measure")?, text(item, "series")?)))();
        entry.ok_or_else(|| self.error("Query", Kind::Corrupt))
    }
}
