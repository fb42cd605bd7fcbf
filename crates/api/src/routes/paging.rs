//! Parameters of paged lists.

use crate::api_error::ApiError;
use crate::cursor::Seal;

/// The largest page.
const MAX_LIMIT: usize = 100;
/// The page size by default.
const DEFAULT_LIMIT: usize = 50;

/// Checks the page size.
pub(crate) fn page_limit(limit: Option<usize>) -> Result<usize, ApiError> {
    match limit.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        _ => Err(ApiError::parameter("limit", format!("expected 1 to {MAX_LIMIT}"))),
    }
}

/// Returns the position at which a page begins.
pub(crate) fn position(seal: &Seal<'_>, cursor: Option<&str>) -> Result<Option<String>, ApiError> {
    cursor.map(|cursor| seal.open(cursor).ok_or_else(ApiError::cursor)).transpose()
}
