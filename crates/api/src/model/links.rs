//! Links that several resources share.

use serde::Serialize;
use utoipa::ToSchema;

/// Links to related resources.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SelfLink {
    /// This resource.
    #[serde(rename = "self")]
    #[schema(format = "uri")]
    pub this: String,
}
