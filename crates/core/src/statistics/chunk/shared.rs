//! Chunks that several uploads share: messages come one reading at a time, and a chunk for each would cost a write each.
//! A shared chunk tells of each point which upload it came with, so an upload can still be taken back.

use super::codec::Encoder;
use super::{Chunk, CorruptChunk, MAX_POINTS};
use crate::statistics::series::Point;
use crate::time::Timestamp;

impl Chunk {
    /// One chunk of the points of several, which must be of one series. `segment` tells it from others that begin with the
    /// same upload. `None` of no chunks, of chunks that cannot be read, and of more than [`MAX_POINTS`] points or 256 uploads.
    #[must_use]
    pub fn joined(chunks: &[&Chunk], segment: u32) -> Option<Chunk> {
        let series = chunks.first()?.series.clone();
        let mut uploads: Vec<String> = Vec::new();
        let mut points = Vec::new();
        for chunk in chunks {
            if chunk.series != series {
                return None;
            }
            for (point, upload) in chunk.points().ok()?.into_iter().zip(chunk.upload_of_each_point()) {
                let place = match uploads.iter().rposition(|known| known == upload) {
                    Some(place) => place,
                    None => {
                        uploads.push(upload.to_owned());
                        uploads.len() - 1
                    }
                };
                points.push((point, u8::try_from(place).ok()?));
            }
        }
        if points.len() > MAX_POINTS {
            return None;
        }
        points.sort_by_key(|(point, _)| point.time);
        let (points, origins): (Vec<Point>, Vec<u8>) = points.into_iter().unzip();
        let first = uploads.first()?.clone();
        let chunk = Chunk::of_sorted(series, &first, segment, &points, &mut Encoder::new())?;
        let origins = if uploads.len() > 1 { origins } else { Vec::new() };
        Some(Chunk { uploads, origins, ..chunk })
    }

    /// What is left when an upload is taken back; `None` when that is nothing.
    ///
    /// Its place in the table stays the key of the chunk as it was: it still begins no earlier, and ends no later.
    ///
    /// # Errors
    /// When the points cannot be read.
    pub fn without(&self, upload: &str) -> Result<Option<Chunk>, CorruptChunk> {
        self.those(|of| of != upload)
    }

    /// What one upload gave; `None` when that is nothing.
    ///
    /// # Errors
    /// When the points cannot be read.
    pub fn only(&self, upload: &str) -> Result<Option<Chunk>, CorruptChunk> {
        self.those(|of| of == upload)
    }

    /// The uploads that gave points with `from <= time < to`.
    ///
    /// # Errors
    /// When the points cannot be read.
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

    fn those(&self, wanted: impl Fn(&str) -> bool) -> Result<Option<Chunk>, CorruptChunk> {
        if self.uploads.iter().all(|upload| wanted(upload)) {
            return Ok(Some(self.clone()));
        }
        let points = self.points()?;
        let kept = || points.iter().zip(self.upload_of_each_point()).filter(|(_, upload)| wanted(upload));
        let uploads: Vec<String> = self.uploads.iter().filter(|upload| wanted(upload)).cloned().collect();
        let place =
            |upload: &str| uploads.iter().position(|known| known == upload).and_then(|at| u8::try_from(at).ok());
        let origins = kept().filter_map(|(_, upload)| place(upload)).collect();
        let points: Vec<Point> = kept().map(|(point, _)| *point).collect();
        let Some(first) = uploads.first().cloned() else { return Ok(None) };
        let chunk = Chunk::of_sorted(self.series.clone(), &first, self.segment, &points, &mut Encoder::new());
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
    fn each_point_still_knows_its_upload() {
        let (a, b, c) = (chunk("a", &[(3, 1.0), (9, 2.0)]), chunk("b", &[(3, 5.0)]), chunk("c", &[(1, 7.0)]));
        let joined = Chunk::joined(&[&a, &b, &c], 4).unwrap();
        assert_eq!(of(&joined), [(1, 7.0), (3, 1.0), (3, 5.0), (9, 2.0)]);
        assert_eq!((joined.uploads(), joined.segment()), (&["a".to_owned(), "b".into(), "c".into()][..], 4));
        let stored = Chunk::from_parts(
            joined.series().clone(),
            joined.uploads().to_vec(),
            joined.origins().to_vec(),
            4,
            &joined.summary().to_bytes(),
            joined.compressed_points().to_vec(),
        );
        assert_eq!(stored.as_ref(), Ok(&joined));
        assert_eq!(of(&joined.only("a").unwrap().unwrap()), of(&a));
        let left = joined.without("a").unwrap().unwrap();
        assert_eq!(of(&left), [(1, 7.0), (3, 5.0)]);
        assert_eq!(left.uploads(), ["b", "c"]);
        let left = left.without("b").unwrap().unwrap();
        assert_eq!((of(&left), left.origins()), (of(&c), &[][..]));
        assert_eq!(left.without("c"), Ok(None));
        assert_eq!(joined.without("x"), Ok(Some(joined.clone())));
    }

    #[test]
    fn only_uploads_with_points_in_the_range_are_told() {
        let joined = Chunk::joined(&[&chunk("a", &[(1, 1.0)]), &chunk("b", &[(5, 1.0)])], 0).unwrap();
        let within =
            |from, to| joined.uploads_within(Some(Timestamp::from_micros(from)), Some(Timestamp::from_micros(to)));
        assert_eq!(within(0, 6), Ok(vec!["a", "b"]));
        assert_eq!(within(0, 5), Ok(vec!["a"]));
        assert_eq!(within(2, 5), Ok(vec![]));
    }

    #[test]
    fn what_cannot_be_joined() {
        let many: Vec<(i64, f64)> = (0..4096).map(|at| (at, 1.0)).collect();
        assert_eq!(Chunk::joined(&[&chunk("a", &many), &chunk("b", &[(1, 1.0)])], 0), None, "too many points");
        let of_many: Vec<Chunk> = (0..257).map(|at| chunk(&at.to_string(), &[(at, 1.0)])).collect();
        assert_eq!(Chunk::joined(&of_many.iter().collect::<Vec<_>>(), 0), None, "too many uploads");
        assert_eq!(Chunk::joined(&[], 0), None);
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
