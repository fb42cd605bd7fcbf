//! Renders notices: SNS messages to owners about rejected uploads, as plain text for people and as JSON for machines.
//!
//! A notice holds names, positions and counts, never a value of the payload. File names and member names are hostile
//! text. They are cleaned, and the subject is ASCII of under 100 characters, as
//! [SNS requires](https://docs.aws.amazon.com/sns/latest/api/API_Publish.html). Mail programs and scanners follow links
//! automatically, so the only link is the URL of the API. Actions appear as a method and a path, or as a command, and
//! names that look like links are broken up. `contracts/notice/1.0.json` is the JSON Schema of the JSON form.

mod advice;
mod changed;
mod contents;
mod details;
mod digest;
mod failing;
mod limits;
mod machine;
mod notice;
mod parts;
mod quiet;
mod resolved;
mod subject;
mod text;
mod words;

pub use contents::{
    ChangedProblem, DeploymentInfo, DigestContents, FeaturedProblem, MAX_PROBLEMS_IN_NOTICE, MAX_REPEATS_LISTED,
    NoticeContents, OtherProblem, RemainderTotals, RepeatedProblem, VERSION, keep_largest,
};
pub use notice::Notice;
pub use text::visible;
