//! Parameters of paged lists.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::api_error::ApiError;
use crate::cursor::Seal;

/// The largest page.
const MAX_LIMIT: usize = 100;
/// The page size by default.
const DEFAULT_LIMIT: usize = 50;

/// The size of a page: 1 to 100.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageLimit(usize);

impl<'de> Deserialize<'de> for PageLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let limit = u64::deserialize(deserializer).ok().and_then(|limit| usize::try_from(limit).ok());
        let limit = limit.filter(|limit| (1..=MAX_LIMIT).contains(limit));
        limit.map(Self).ok_or_else(|| D::Error::custom(format!("expected a whole number from 1 to {MAX_LIMIT}")))
    }
}

/// Returns the page size.
pub(crate) fn page_limit(limit: Option<PageLimit>) -> usize {
    limit.map_or(DEFAULT_LIMIT, |PageLimit(limit)| limit)
}

/// Returns the position at which a page begins.
pub(crate) fn position(seal: &Seal<'_>, cursor: Option<&str>) -> Result<Option<String>, ApiError> {
    cursor.map(|cursor| seal.open(cursor).ok_or_else(ApiError::cursor)).transpose()
}
