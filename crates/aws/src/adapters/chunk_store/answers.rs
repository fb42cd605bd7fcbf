//! Statistics of a series over a range of time. Every query is paged to its end.

use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::ControlFlow;

use eventpulse_core::id::UploadId;
use eventpulse_core::statistics::answer::{
    Answer, AnswerError, Bucket, BucketWidth, Buckets, BucketsError, Pass, TooMuch, key_ranges,
};
use eventpulse_core::statistics::chunk::Chunk;
use eventpulse_core::statistics::quantile::Quantiles;
use eventpulse_core::statistics::series::Series;
use eventpulse_core::statistics::summary::Statistics;
use eventpulse_core::time::Timestamp;

use super::ChunkStore;
use crate::adapters::dynamodb::item::s;
use crate::error::{Error, Kind};

/// The most upload ids in an answer.
const MAX_IDS: usize = 100;
/// How often a read starts over because chunks change meanwhile.
const ATTEMPTS: u32 = 5;

/// The range `from <= time < to`.
type Range = (Option<Timestamp>, Option<Timestamp>);

/// The statistics of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesAnswer {
    /// The statistics.
    pub statistics: Statistics,
    /// The uploads of their points.
    pub uploads: IncludedUploads,
}

/// The uploads that an answer includes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncludedUploads {
    /// The number of uploads.
    pub count: u64,
    /// The last 100 by id: the newest, if they are files.
    pub upload_ids: Vec<String>,
}

/// The statistics of a series in buckets.
#[derive(Debug, Clone, PartialEq)]
pub enum BucketsAnswer {
    /// The buckets with points.
    Complete(Vec<Bucket>),
    /// The range exceeds the limits of one answer.
    TooMuch(TooMuch),
}

/// The error of a read that is not complete.
enum ReadError {
    Aws(Error),
    /// A chunk cannot be read, or chunks changed meanwhile.
    Answer(AnswerError),
}

impl From<Error> for ReadError {
    fn from(error: Error) -> Self {
        Self::Aws(error)
    }
}

impl From<AnswerError> for ReadError {
    fn from(error: AnswerError) -> Self {
        Self::Answer(error)
    }
}

/// The uploads seen by a read. They may be millions, because each message is one, so not all ids are kept.
#[derive(Default)]
struct UploadsSeen {
    digests: HashSet<u64>,
    last: BTreeSet<String>,
}

impl UploadsSeen {
    fn add(&mut self, upload: &str) {
        let mut digest = DefaultHasher::new();
        upload.hash(&mut digest);
        if !self.digests.insert(digest.finish()) {
            return;
        }
        if self.last.len() < MAX_IDS {
            self.last.insert(upload.to_owned());
        } else if self.last.first().is_some_and(|first| first.as_str() < upload) {
            self.last.pop_first();
            self.last.insert(upload.to_owned());
        }
    }
}

impl ChunkStore {
    /// Returns the exact statistics of a series in `from <= time < to`, or `None` if there are no points.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn answer(
        &self,
        series: &Series,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<Option<SeriesAnswer>, Error> {
        self.answer_with_quantiles(series, from, to, &Quantiles::default()).await
    }

    /// Returns the exact statistics of a series in `from <= time < to` with quantiles, or `None` if there are no points.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn answer_with_quantiles(
        &self,
        series: &Series,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        quantiles: &Quantiles,
    ) -> Result<Option<SeriesAnswer>, Error> {
        let (statistics, uploads) = self.read_statistics(series, (from, to), quantiles, None).await?;
        let upload_ids = uploads.last.into_iter().rev().collect();
        let uploads = IncludedUploads { count: uploads.digests.len() as u64, upload_ids };
        Ok(statistics.map(|statistics| SeriesAnswer { statistics, uploads }))
    }

    /// Returns the exact statistics of the points of one upload in a series, or `None` if there are none.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn of_upload(&self, series: &Series, upload: &UploadId) -> Result<Option<Statistics>, Error> {
        let (statistics, _) = self.read_statistics(series, (None, None), &Quantiles::default(), Some(upload)).await?;
        Ok(statistics)
    }

    /// Returns the exact statistics of a series in buckets of `width`, with quantiles.
    ///
    /// # Errors
    /// Returns an [AWS failure](crate::error).
    pub async fn buckets(
        &self,
        series: &Series,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        width: &BucketWidth,
        quantiles: Quantiles,
    ) -> Result<BucketsAnswer, Error> {
        let mut buckets = Buckets::new(from, to, width).with_quantiles(quantiles);
        let mut too_much = None;
        let read = self.for_each_chunk(series, (from, to), |chunk| match buckets.add(chunk) {
            Ok(()) => Ok(ControlFlow::Continue(())),
            Err(BucketsError::Corrupt(error)) => Err(error.into()),
            Err(BucketsError::TooMuch(limit)) => {
                too_much = Some(limit);
                Ok(ControlFlow::Break(()))
            }
        });
        read.await.map_err(|error| self.aws_failure(error))?;
        Ok(match too_much {
            Some(too_much) => BucketsAnswer::TooMuch(too_much),
            None => BucketsAnswer::Complete(buckets.finish()),
        })
    }

    /// Reads the chunks of a series, and starts over if chunks change meanwhile.
    async fn read_statistics(
        &self,
        series: &Series,
        range: Range,
        quantiles: &Quantiles,
        of: Option<&UploadId>,
    ) -> Result<(Option<Statistics>, UploadsSeen), Error> {
        for _ in 0..ATTEMPTS {
            let mut uploads = UploadsSeen::default();
            match self.try_read_statistics(series, range, quantiles, of, &mut uploads).await {
                Ok(statistics) => return Ok((statistics, uploads)),
                Err(ReadError::Answer(AnswerError::Changed)) => {}
                Err(error) => return Err(self.aws_failure(error)),
            }
        }
        Err(self.error("Query", Kind::Contended))
    }

    async fn try_read_statistics(
        &self,
        series: &Series,
        (from, to): Range,
        quantiles: &Quantiles,
        of: Option<&UploadId>,
        uploads: &mut UploadsSeen,
    ) -> Result<Option<Statistics>, ReadError> {
        let mut answer = Answer::new(from, to).with_quantiles(quantiles.clone());
        loop {
            self.for_each_chunk(series, (from, to), |chunk| {
                let part;
                let chunk = match of {
                    Some(of) => match chunk.only_upload(of.as_str())? {
                        Some(of_upload) => {
                            part = of_upload;
                            &part
                        }
                        None => return Ok(ControlFlow::Continue(())),
                    },
                    None => chunk,
                };
                if answer.add(chunk)? > 0 {
                    chunk.uploads_within(from, to)?.into_iter().for_each(|upload| uploads.add(upload));
                }
                Ok(ControlFlow::Continue(()))
            })
            .await?;
            match answer.end_pass()? {
                Pass::Complete(statistics) => return Ok(statistics),
                Pass::Again => {}
            }
        }
    }

    /// Calls `visit` with every chunk that may have points of the range, until it breaks.
    async fn for_each_chunk(
        &self,
        series: &Series,
        (from, to): Range,
        mut visit: impl FnMut(&Chunk) -> Result<ControlFlow<()>, AnswerError>,
    ) -> Result<(), ReadError> {
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
                    if visit(&self.read_chunk(series, item)?)?.is_break() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    fn aws_failure(&self, error: ReadError) -> Error {
        match error {
            ReadError::Aws(error) => error,
            ReadError::Answer(error) => self.error("Query", Kind::Corrupt).with_source(error),
        }
    }
}
