//! Limits on the details of a notice.

/// The amount of detail in a notice. Names can be long, and escaping multiplies their length. A notice that exceeds the
/// size limit of SNS is rendered again with lower limits.
#[derive(Debug, Clone, Copy)]
pub(super) struct DetailLimits {
    /// The highest number of kinds of failure of the featured upload.
    pub(super) failures: usize,
    /// The highest number of characters of each of their pointers.
    pub(super) pointer: usize,
    /// The highest number of characters of each of their messages.
    pub(super) message: usize,
    /// The highest number of member names of each.
    pub(super) targets: usize,
    /// The highest number of failures of every other problem.
    pub(super) failures_of_others: usize,
    /// The highest number of characters of each of their pointers.
    pub(super) pointer_of_others: usize,
}

impl DetailLimits {
    /// From the highest limits to the lowest.
    pub(super) const ALL: [Self; 3] = [
        Self {
            failures: 10,
            pointer: 256,
            message: 4_000,
            targets: 10,
            failures_of_others: 10,
            pointer_of_others: 256,
        },
        Self { failures: 10, pointer: 96, message: 300, targets: 5, failures_of_others: 1, pointer_of_others: 64 },
        Self { failures: 5, pointer: 64, message: 160, targets: 3, failures_of_others: 1, pointer_of_others: 24 },
    ];
}
