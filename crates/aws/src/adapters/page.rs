//! Pages of lists.

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The position at which the next page begins; `None` on the last page.
    pub next: Option<String>,
}
