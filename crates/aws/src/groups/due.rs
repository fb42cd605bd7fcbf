//! Who is to be told something now, and the one slot through which every notice goes.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use eventpulse_core::group::SPACING_MICROS;
use eventpulse_core::time::Timestamp;

use super::{DUE, Groups, SEEN};
use crate::error::Error;
use crate::item::{Item, n, s, text};

/// An owner of whom something is to be dealt with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueOwner {
    /// Who.
    pub owner: String,
    /// Since when, or from when on.
    pub due_at: String,
    /// Whether there are occurrences to fold.
    pub has_seen: bool,
}

impl Groups {
    /// Owners of whom something is due by `until`, the longest due first, each once, of at most `most` items. The index
    /// lags behind its table.
    ///
    /// # Errors
    /// When DynamoDB does not answer, or refuses.
    pub async fn due(&self, until: Timestamp, most: i32) -> Result<Vec<DueOwner>, Error> {
        let query = self.client.query().table_name(&self.table).index_name("by_due").limit(most);
        let query = query.key_condition_expression("due = :due AND due_at <= :until");
        let query = query.expression_attribute_values(":due", s(DUE));
        let query = query.expression_attribute_values(":until", s(until.sortable()));
        let page = query.send().await.map_err(|error| Error::sdk("Query", &self.table, error))?;
        let mut due: Vec<DueOwner> = Vec::new();
        for item in page.items() {
            let Some(owner) = text(item, "pk").and_then(|pk| pk.strip_prefix("owner#")) else { continue };
            let has_seen = text(item, "sk").is_some_and(|sk| sk.starts_with(SEEN));
            let due_at = text(item, "due_at").unwrap_or_default().to_owned();
            match due.iter_mut().find(|known| known.owner == owner) {
                Some(known) => known.has_seen |= has_seen,
                None => due.push(DueOwner { owner: owner.to_owned(), due_at, has_seen }),
            }
        }
        Ok(due)
    }

    /// Takes the slot: whoever has it may publish one notice. None, or from when on it is free.
    ///
    /// # Errors
    /// When DynamoDB does not answer, or refuses.
    pub async fn take_slot(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let (micros, next) = (now.as_micros(), now.as_micros() + SPACING_MICROS);
        let update = self.client.update_item().table_name(&self.table).key("pk", s("slot")).key("sk", s("slot"));
        let update = update.update_expression("SET next_at = :next");
        // A clock that was far ahead must not keep everybody waiting.
        let update = update.condition_expression("attribute_not_exists(pk) OR next_at <= :now OR next_at > :next");
        let update = update.expression_attribute_values(":next", n(next.to_string()));
        let update = update.expression_attribute_values(":now", n(micros.to_string()));
        let update = update.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = update.send().await else { return Ok(None) };
        if let SdkError::ServiceError(refused) = &error
            && let UpdateItemError::ConditionalCheckFailedException(failed) = refused.err()
        {
            let free_at = failed.item().and_then(|item: &Item| item.get("next_at")?.as_n().ok()?.parse().ok());
            return Ok(Some(Timestamp::from_micros(free_at.unwrap_or(next))));
        }
        Err(Error::sdk("UpdateItem", format!("{}/slot", self.table), error))
    }
}
