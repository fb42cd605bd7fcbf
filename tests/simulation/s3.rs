//! A stand-in for S3 in memory: versioned objects, conditional PUTs, copies and deletions.

use std::collections::BTreeMap;

/// A version of an object; `None` is a delete marker.
#[derive(Debug, Clone)]
pub struct Version {
    /// The version id.
    pub id: String,
    /// The object.
    pub object: Option<Stored>,
}

/// A stored object.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `x-amz-meta-owner`.
    pub owner: Option<String>,
}

/// A created version, as an event announces it.
#[derive(Debug, Clone)]
pub struct Created {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The version id.
    pub version_id: String,
    /// The size in bytes.
    pub size: u64,
}

/// The buckets.
#[derive(Default)]
pub struct Buckets {
    versions: BTreeMap<(String, String), Vec<Version>>,
    next_version: u64,
    /// The versions that were created and not announced yet.
    pub created: Vec<Created>,
}

/// An answer of S3.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A request to S3.
#[derive(Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// The bucket and the key, decoded.
    pub target: (String, String),
    /// The query parameter `versionId`.
    pub version_id: Option<String>,
    /// The header `x-amz-copy-source`, decoded: bucket, key and version id.
    pub copy_source: Option<(String, String, Option<String>)>,
    /// Whether `If-None-Match: *` is set.
    pub if_absent: bool,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `x-amz-meta-owner`.
    pub owner: Option<String>,
    /// Whether `x-amz-metadata-directive` is `REPLACE`.
    pub replaces_metadata: bool,
    /// The body.
    pub body: Vec<u8>,
}

impl Buckets {
    /// Performs an operation.
    pub fn call(&mut self, request: Request<'_>) -> Answer {
        let Request { method, target, version_id, copy_source, if_absent, content_type, owner, .. } = request;
        let (replaces_metadata, body) = (request.replaces_metadata, request.body);
        match (method, copy_source) {
            ("PUT", Some((bucket, key, version))) => {
                let Some(object) = self.find(&(bucket, key), version.as_deref()).and_then(|found| found.object) else {
                    return absent();
                };
                let object = match replaces_metadata {
                    true => Stored { content_type, owner, ..object },
                    false => object,
                };
                let id = self.create(target, object);
                let body = b"<CopyObjectResult><ETag>\"e\"</ETag></CopyObjectResult>".to_vec();
                Answer { status: 200, headers: vec![("x-amz-version-id", id)], body }
            }
            ("PUT", None) => {
                if if_absent && self.find(&target, None).is_some_and(|found| found.object.is_some()) {
                    return error(412, "PreconditionFailed");
                }
                let id = self.create(target, Stored { bytes: body, content_type, owner });
                Answer { status: 200, headers: vec![("x-amz-version-id", id)], body: Vec::new() }
            }
            ("GET" | "HEAD", _) => match self.find(&target, version_id.as_deref()) {
                Some(Version { id, object: Some(Stored { bytes, content_type, .. }) }) => {
                    let mut headers = vec![("x-amz-version-id", id), ("content-length", bytes.len().to_string())];
                    headers.extend(content_type.map(|content_type| ("content-type", content_type)));
                    Answer { status: 200, headers, body: if method == "GET" { bytes } else { Vec::new() } }
                }
                _ if method == "HEAD" => Answer { status: 404, headers: Vec::new(), body: Vec::new() },
                _ => absent(),
            },
            ("DELETE", _) => {
                match version_id {
                    Some(id) => {
                        self.versions.entry(target).or_default().retain(|version| version.id != id);
                    }
                    None => {
                        let id = self.version_id();
                        self.versions.entry(target).or_default().push(Version { id, object: None });
                    }
                }
                Answer { status: 204, headers: Vec::new(), body: Vec::new() }
            }
            (method, _) => panic!("the stand-in for S3 has no {method}"),
        }
    }

    /// Returns the keys that have an object, in a bucket.
    pub fn keys(&self, bucket: &str) -> Vec<&str> {
        let present = self.versions.iter().filter(|((of, _), versions)| {
            of == bucket && versions.last().is_some_and(|version| version.object.is_some())
        });
        present.map(|((_, key), _)| key.as_str()).collect()
    }

    /// Returns the keys of the versions, in all buckets, that name no owner.
    pub fn without_owner(&self) -> Vec<&str> {
        let has_none = |version: &&Version| version.object.as_ref().is_some_and(|object| object.owner.is_none());
        let versions = self.versions.iter().flat_map(|((_, key), versions)| versions.iter().map(move |one| (key, one)));
        versions.filter(|(_, version)| has_none(version)).map(|(key, _)| key.as_str()).collect()
    }

    /// Creates a version of an object, and announces it. Returns its id.
    pub fn create(&mut self, (bucket, key): (String, String), object: Stored) -> String {
        let (id, size) = (self.version_id(), object.bytes.len() as u64);
        self.created.push(Created { bucket: bucket.clone(), key: key.clone(), version_id: id.clone(), size });
        self.versions.entry((bucket, key)).or_default().push(Version { id: id.clone(), object: Some(object) });
        id
    }

    fn version_id(&mut self) -> String {
        self.next_version += 1;
        format!("v{}", self.next_version)
    }

    fn find(&self, target: &(String, String), version_id: Option<&str>) -> Option<Version> {
        let versions = self.versions.get(target)?;
        match version_id {
            Some(id) => versions.iter().find(|version| version.id == id).cloned(),
            None => versions.last().cloned(),
        }
    }
}

fn absent() -> Answer {
    error(404, "NoSuchKey")
}

/// Returns an error of S3.
pub fn error(status: u16, code: &str) -> Answer {
    let body = format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>").into_bytes();
    Answer { status, headers: vec![("content-type", "application/xml".to_owned())], body }
}
