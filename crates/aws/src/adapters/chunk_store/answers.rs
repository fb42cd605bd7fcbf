//! Statistics of a series over a range of time. Every query is paged to its end.

use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use eventpulse_core::id::UploadId;
use eventpulse_core::statistics::answer::{
    Answer, AnswerError, Bucket, Buckets, BucketsError, Pass, TooMuch, key_ranges,
};
use eventpulse_core::statistics::chunk::Chunk;
use eventpulse_core::statistics::series::Series;
use eventpulse_core::statistics::summary::Statistics;
use eventpulse_core::time::Timestamp;

use super::ChunkStore;
use crate::adapters::dynamodb::item::s;
use crate::error::{Error, Kind};

/// How many ids of uploads an answer tells.
const MAX_IDS_TOLD: usize = 100;
/// How often an answer is begun anew because chunks came or went while it was read.
const ATTEMPTS: u32 = 5;

/// From `from` on, and before `to`.
type Range = (Option<Timestamp>, Option<Timestamp>);

/// Statistics, and what they stand on.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// The statistics.
    pub statistics: Statistics,
    /// The uploads that their points came with.
    pub uploads: Included,
}

/// Uploads that an answer includes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Included {
    /// How many.
    pub count: u64,
    /// At most 100 of them: the last ones by id, so the newest where they are files.
    pub upload_ids: Vec<String>,
}

/// The uploads that an answer has met: each message is one, so they may be millions, and their ids are not all kept.
#[derive(Default)]
struct Seen {
    digests: HashSet<u64>,
    last: BTreeSet<String>,
}

impl Seen {
    fn add(&mut self, upload: &str) {
        let mut digest = DefaultHasher::new();
        upload.hash(&mut digest);
        if !self.digests.insert(digest.finish()) {
            return;
        }
        if self.last.len() < MAX_IDS_TOLD {
            self.last.insert(upload.to_owned());
        } else if self.last.first().is_some_and(|first| first.as_str() < upload) {
            self.last.pop_first();
            self.last.insert(upload.to_owned());
        }
    }
}

impl ChunkStore {
    /// The exact statistics of a series in `from <= time < to`. None when there are no points.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn answer(
        &self,
        series: &Series,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<Option<Answered>, Error> {
        let mut uploads = Seen::default();
        let statistics = self.of_chunks(series, (from, to), None, &mut uploads).await?;
        let upload_ids = uploads.last.into_iter().rev().collect();
        let uploads = Included { count: uploads.digests.len() as u64, upload_ids };
        Ok(statistics.map(|statistics| Answered { statistics, uploads }))
    }

    /// The exact statistics of what one upload gave a series. None when that is nothing.
    ///
    /// # Errors
    /// As [`ChunkStore::answer`].
    pub async fn of_upload(&self, series: &Series, upload: &UploadId) -> Result<Option<Statistics>, Error> {
        self.of_chunks(series, (None, None), Some(upload), &mut Seen::default()).await
    }

    /// The exact statistics of a series bucket by bucket.
    ///
    /// # Errors
    /// As [`ChunkStore::answer`]. `Ok(Err(_))`: there is more than one answer holds.
    pub async fn buckets(
        &self,
        series: &Series,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        width: Duration,
    ) -> Result<Result<Vec<Bucket>, TooMuch>, Error> {
        let mut buckets = Buckets::new(from, to, width);
        let mut too_much = None;
        self.each(series, (from, to), |chunk| match buckets.add(chunk) {
            Ok(()) => Ok(true),
            Err(BucketsError::Corrupt(error)) => Err(error.into()),
            Err(BucketsError::TooMuch(limit)) => {
                too_much = Some(limit);
                Ok(false)
            }
        })
        .await?
        .map_err(|error| self.error("Query", Kind::Corrupt).with_source(error))?;
        Ok(too_much.map_or_else(|| Ok(buckets.finish()), Err))
    }

    async fn of_chunks(
        &self,
        series: &Series,
        range: Range,
        of: Option<&UploadId>,
        uploads: &mut Seen,
    ) -> Result<Option<Statistics>, Error> {
        for _ in 0..ATTEMPTS {
            *uploads = Seen::default();
            match self.try_of_chunks(series, range, of, uploads).await? {
                Ok(statistics) => return Ok(statistics),
                Err(AnswerError::Changed) => {}
                Err(error) => return Err(self.error("Query", Kind::Corrupt).with_source(error)),
            }
        }
        Err(self.error("Query", Kind::Contended))
    }

    async fn try_of_chunks(
        &self,
        series: &Series,
        (from, to): Range,
        of: Option<&UploadId>,
        uploads: &mut Seen,
    ) -> Result<Result<Option<Statistics>, AnswerError>, Error> {
        let mut answer = Answer::new(from, to);
        loop {
            let read = self.each(series, (from, to), |chunk| {
                let of_one;
                let chunk = match of {
                    Some(of) => match chunk.only_upload(of.as_str())? {
                        Some(part) => {
                            of_one = part;
                            &of_one
                        }
                        None => return Ok(true),
                    },
                    None => chunk,
                };
                if answer.add(chunk)? > 0 {
                    chunk.uploads_within(from, to)?.into_iter().for_each(|upload| uploads.add(upload));
                }
                Ok(true)
            });
            if let Err(error) = read.await? {
                return Ok(Err(error));
            }
            match answer.end_pass() {
                Ok(Pass::Complete(statistics)) => return Ok(Ok(statistics)),
                Ok(Pass::Again) => {}
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    /// Gives `take` every chunk that can have points of the range, until it wants no more.
    async fn each(
        &self,
        series: &Series,
        (from, to): Range,
        mut take: impl FnMut(&Chunk) -> Result<bool, AnswerError>,
    ) -> Result<Result<(), AnswerError>, Error> {
        for range in key_ranges(from, to) {
            let query = self.client.query().table_name(&self.table).consistent_read(true);
            let query = query.key_condition_expression("pk = :series AND sk BETWEEN :lo AND :hi");
            let query = query.expression_attribute_values(":series", s(series.partition_key()));
            let query =
                query.expression_attribute_values(":lo", s(range.lo)).expression_attribute_values(":hi", s(range.hi));
            let mut pages = query.into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = page.map_err(|error| Error::sdk("Query", self.table.as_str(), error))?;
                for item in page.items() {
                    match take(&self.read_chunk(series, item)?) {
                        Ok(true) => {}
                        Ok(false) => return Ok(Ok(())),
                        Err(error) => return Ok(Err(error)),
                    }
                }
            }
        }
        Ok(Ok(()))
    }
}
