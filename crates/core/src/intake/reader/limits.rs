//! Size limits.

/// The size limits of an upload and of its records.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The maximum size of one record in bytes.
    pub record_bytes: usize,
    /// The maximum size of an upload in bytes, after decompression.
    pub decompressed_bytes: u64,
    /// The maximum number of members of a gzip stream. Each takes microseconds, even if it is empty.
    pub gzip_members: u64,
}

impl Default for Limits {
    /// Returns 16 MiB per record, a million gzip members, and 8 GiB per upload, which is what one invocation can read three
    /// times in its 15 minutes.
    fn default() -> Self {
        Self { record_bytes: 16 << 20, decompressed_bytes: 8 << 30, gzip_members: 1_000_000 }
    }
}
