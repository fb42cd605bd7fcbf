//! Chunks that several uploads share. Messages often have a single reading, and a chunk for each message would cost one write each.
//! A shared chunk knows the upload of each point, so an upload can still be withdrawn.

use super::codec::MAX_POINTS;
use super::data::{Chunk, CorruptChunk};
use crate::statistics::series::Point;
use crate::time::Timestamp;

impl Chunk {
    /// Merges chunks of one series. `segment` distinguishes the result from others that begin with the same upload. Returns `None`
    /// for no chunks, for unreadable ones, and for more than [`MAX_POINTS`] points or 256 uploads.
    #[must_use]
    pub fn merge(chunks: &[&Chunk], segment: u32) -> Option<Chunk> {
        let series = chunks.first()?.series.clone();
        let mut uploads: Vec<String> = Vec::new();
        let mut points = Vec::new();
        for chunk in chunks {
            if chunk.series != series {
                return None;
            }
            for (point, upload) in chunk.points().ok()?.into_iter().zip(chunk.upload_of_each_point()) {
                let index = match uploads.iter().rposition(|known| known == upload) {
                    Some(index) => index,
                    None => {
                        uploads.push(upload.to_owned());
                        uploads.len() - 1
                    }
                };
                points.push((point, u8::try_from(index).ok()?));
            }
        }
        if points.len() > MAX_POINTS {
            return None;
        }
        points.sort_by_key(|(point, _)| point.time);
        let (points, origins): (Vec<Point>, Vec<u8>) = points.into_iter().unzip();
        let first = uploads.first()?.clone();
        let chunk = Chunk::of_sorted(series, &first, segment, &points)?;
        let origins = if uploads.len() > 1 { origins } else { Vec::new() };
        Some(Chunk { uploads, origins, ..chunk })
    }

    /// Returns the chunk without the points of an upload; `None` if none are left.
    ///
    /// The result stays under the key of the original chunk, whose time span contains its own.
    ///
    /// # Errors
    /// Returns an error if the points cannot be read.
    pub fn without_upload(&self, upload: &str) -> Result<Option<Chunk>, CorruptChunk> {
        self.filter_uploads(|of| of != upload)
    }

    /// Returns the chunk with only the points of an upload; `None` if there are none.
    ///
    /// # Errors
    /// Returns an error if the points cannot be read.
    pub fn only_upload(&self, upload: &str) -> Result<Option<Chunk>, CorruptChunk> {
        self.filter_uploads(|of| of == upload)
    }

    /// Returns the uploads of the points with `from <= time < to`.
    ///
    /// # Errors
    /// Returns an error if the points cannot be read.
    pub fn uploads_within(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> Result<Vec<&str>, CorruptChunk> {
        let is_within = |time: Timestamp| from.is_none_or(|from| from <= time) && to.is_none_or(|to| time < to);
        if is_within(self.summary.first()) && is_within(self.summary.last()) {
            return Ok(self.uploads.iter().map(String::as_str).collect());
        }
        let points = self.points()?;
        let within = points.iter().zip(self.upload_of_each_point()).filter(|(point, _)| is_within(point.time));
        let mut uploads: Vec<&str> = within.map(|(_, upload)| upload).collect();
        uploads.sort_unstable();
        uploads.dedup();
        Ok(uploads)
    }

    fn filter_uploads(&self, wanted: impl Fn(&str) -> bool) -> Result<Option<Chunk>, CorruptChunk> {
        if self.uploads.iter().all(|upload| wanted(upload)) {
            return Ok(Some(self.clone()));
        }
        let points = self.points()?;
        let kept = || points.iter().zip(self.upload_of_each_point()).filter(|(_, upload)| wanted(upload));
        let uploads: Vec<String> = self.uploads.iter().filter(|upload| wanted(upload)).cloned().collect();
        let index_of =
            |upload: &str| uploads.iter().position(|known| known == upload).and_then(|at| u8::try_from(at).ok());
        let origins = kept().filter_map(|(_, upload)| index_of(upload)).collect();
        let points: Vec<Point> = kept().map(|(point, _)| *point).collect();
        let Some(first) = uploads.first().cloned() else { return Ok(None) };
        let chunk = Chunk::of_sorted(self.series.clone(), &first, self.segment, &points);
        let origins = if uploads.len() > 1 { origins } else { Vec::new() };
        Ok(chunk.map(|chunk| Chunk { uploads, origins, ..chunk }))
    }

    fn upload_of_each_point(&self) -> impl Iterator<Item = &str> {
        let count = usize::try_from(self.summary.count()).unwrap_or(usize::MAX);
        (0..count).map(|at| {
            let origin = self.origins.get(at).map_or(0, |origin| usize::from(*origin));
            self.uploads.get(origin).map_or("", String::as_str)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::series::Series;

    fn chunk(upload: &str, points: &[(i64, f64)]) -> Chunk {
        let series = Series { owner: "u".parse().unwrap(), entity: "d".into(), measure: "value".into() };
        let points = points.iter().map(|(time, value)| Point { time: Timestamp::from_micros(*time), value: *value });
        Chunk::new(series, upload, 0, points.collect()).unwrap()
    }

    fn of(chunk: &Chunk) -> Vec<(i64, f64)> {
        chunk.points().unwrap().iter().map(|point| (point.time.as_micros(), point.value)).collect()
    }

    #[test]
    fn merged_chunks_keep_the_upload_of_each_point() {
        let (a, b, c) = (chunk("a", &[(3, 1.0), (9, 2.0)]), chunk("b", &[(3, 5.0)]), chunk("c", &[(1, 7.0)]));
        let merged = Chunk::merge(&[&a, &b, &c], 4).unwrap();
        assert_eq!(of(&merged), [(1, 7.0), (3, 1.0), (3, 5.0), (9, 2.0)]);
        assert_eq!((merged.uploads(), merged.segment()), (&["a".to_owned(), "b".into(), "c".into()][..], 4));
        let stored = Chunk::from_parts(
            merged.series().clone(),
            merged.uploads().to_vec(),
            merged.origins().to_vec(),
            4,
            &merged.summary().to_bytes(),
            merged.compressed_points().to_vec(),
        );
        assert_eq!(stored.as_ref(), Ok(&merged));
        assert_eq!(of(&merged.only_upload("a").unwrap().unwrap()), of(&a));
        let left = merged.without_upload("a").unwrap().unwrap();
        assert_eq!(of(&left), [(1, 7.0), (3, 5.0)]);
        assert_eq!(left.uploads(), ["b", "c"]);
        let left = left.without_upload("b").unwrap().unwrap();
        assert_eq!((of(&left), left.origins()), (of(&c), &[][..]));
        assert_eq!(left.without_upload("c"), Ok(None));
        assert_eq!(merged.without_upload("x"), Ok(Some(merged.clone())));
    }

    #[test]
    fn uploads_within_a_time_range() {
        let merged = Chunk::merge(&[&chunk("a", &[(1, 1.0)]), &chunk("b", &[(5, 1.0)])], 0).unwrap();
        let within =
            |from, to| merged.uploads_within(Some(Timestamp::from_micros(from)), Some(Timestamp::from_micros(to)));
        assert_eq!(within(0, 6), Ok(vec!["a", "b"]));
        assert_eq!(within(0, 5), Ok(vec!["a"]));
        assert_eq!(within(2, 5), Ok(vec![]));
    }

    #[test]
    fn chunks_that_do_not_merge() {
        let many: Vec<(i64, f64)> = (0..4096).map(|at| (at, 1.0)).collect();
        assert_eq!(Chunk::merge(&[&chunk("a", &many), &chunk("b", &[(1, 1.0)])], 0), None, "too many points");
        let of_many: Vec<Chunk> = (0..257).map(|at| chunk(&at.to_string(), &[(at, 1.0)])).collect();
        assert_eq!(Chunk::merge(&of_many.iter().collect::<Vec<_>>(), 0), None, "too many uploads");
        assert_eq!(Chunk::merge(&[], 0), None);
        let (series, summary) = (chunk("a", &[(1, 1.0)]), chunk("a", &[(1, 1.0), (2, 1.0)]));
        let parts = |origins: Vec<u8>| {
            let uploads = vec!["a".to_owned(), "b".to_owned()];
            Chunk::from_parts(series.series().clone(), uploads, origins, 0, &summary.summary().to_bytes(), Vec::new())
        };
        for origins in [vec![], vec![0], vec![0, 2]] {
            assert_eq!(parts(origins), Err(CorruptChunk::Origins));
        }
    }
}
