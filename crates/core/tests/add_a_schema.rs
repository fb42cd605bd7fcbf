//! Builds a copy of this crate with another file in `schemas/`: the file alone adds a kind of record, and an invalid
//! file fails the build.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{fs, io};

const SOIL: &str = r#"{
  "type": "object",
  "properties": {
    "schema": { "type": "string" },
    "bed": { "type": "string" },
    "at": { "type": "string", "format": "date-time" },
    "moisture": { "type": "number" }
  },
  "required": ["bed", "at", "moisture"],
  "x-eventpulse": { "entity": "/bed", "time": "/at", "measures": { "moisture": "/moisture" } }
}"#;

/// A program that prints the verdict on a record of the new kind.
const PROBE: &str = r##"//! Checks one record.
use eventpulse_core_copy::intake::schema::{Catalog, SchemaRef};
use eventpulse_core_copy::intake::validation::{Validator, Verdict};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let record = br#"{"schema":"soil/1.0","bed":"north","at":"2025-02-28T12:00:00Z","moisture":41.5}"#;
    let catalog = Catalog::bundled()?;
    match Validator::new(&catalog, None, SchemaRef::parse("reading/1.0")?).check(record) {
        Verdict::Accepted { points, .. } => {
            points.for_each(|point| println!("accepted: {} {} {} {}", point.entity, point.measure, point.time, point.value));
        }
        Verdict::Rejected { failures, .. } => println!("rejected: {}", failures[0].code),
    }
    Ok(())
}
"##;

/// A copy of this crate in a separate workspace, under another name. Cargo distinguishes the crates of a target
/// directory by name and by path within the workspace; the different name prevents confusion.
struct Copy {
    root: PathBuf,
}

impl Copy {
    /// Copies the crate, always to the same directory, so that its builds replace each other.
    fn new() -> io::Result<Copy> {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("add-a-schema");
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let workspace = here.join("../..");
        if root.exists() {
            fs::remove_dir_all(&root)?;
        }
        for directory in ["src", "benches", "examples"] {
            copy_tree(&here.join(directory), &root.join("crates/core").join(directory))?;
        }
        fs::copy(here.join("build.rs"), root.join("crates/core/build.rs"))?;
        copy_tree(&workspace.join("schemas"), &root.join("schemas"))?;
        let copy = Copy { root };
        for (from, to) in
            [(here.join("Cargo.toml"), "crates/core/Cargo.toml"), (workspace.join("Cargo.lock"), "Cargo.lock")]
        {
            copy.write(
                to,
                &fs::read_to_string(from)?.replace("name = \"eventpulse-core\"", "name = \"eventpulse-core-copy\""),
            )?;
        }
        copy.write("Cargo.toml", &of_one_member(&fs::read_to_string(workspace.join("Cargo.toml"))?))?;
        copy.write("crates/core/src/bin/probe.rs", PROBE)?;
        Ok(copy)
    }

    fn write(&self, path: &str, text: &str) -> io::Result<()> {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap())?;
        fs::write(path, text)
    }

    /// Runs cargo with the target directory of this build, which contains the compiled dependencies.
    fn cargo(&self, arguments: &[&str]) -> Output {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(arguments).args(["--offline", "--quiet"]).env("CARGO_TARGET_DIR", target).current_dir(&self.root);
        cargo.output().unwrap()
    }

    fn probe(&self) -> String {
        let output = self.cargo(&["run", "--package", "eventpulse-core-copy", "--bin", "probe"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    if !from.exists() {
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Returns the manifest of the workspace with this crate as its only member.
fn of_one_member(manifest: &str) -> String {
    let start = manifest.find("members = [").expect("the workspace lists its members");
    let end = start + manifest[start..].find(']').expect("the list ends") + 1;
    format!("{}members = [\"crates/core\"]{}", &manifest[..start], &manifest[end..])
}

#[test]
fn schema_file_adds_a_kind_and_an_invalid_one_fails_the_build() {
    let copy = Copy::new().unwrap();
    assert_eq!(copy.probe(), "rejected: UNKNOWN_SCHEMA");

    copy.write("schemas/soil/1.0.json", SOIL).unwrap();
    assert_eq!(copy.probe(), "accepted: north moisture 2025-02-28T12:00:00Z 41.5");

    let unannotated = SOIL.replace("x-eventpulse", "x-other");
    let wrong_path = SOIL.replace(r#"{ "moisture": "/moisture" }"#, r#"{ "moisture": "/mositure" }"#);
    let broken = SOIL.replace(r#""bed": { "type": "string" }"#, r#""bed": { "type": "strin" }"#);
    let external =
        SOIL.replace(r#""moisture": { "type": "number" }"#, r#""moisture": { "$ref": "https://example.com/n" }"#);
    let rows = [
        (
            "unannotated",
            "schemas/soil/1.0.json",
            unannotated.as_str(),
            "schemas/soil/1.0.json: has no `x-eventpulse` annotation",
        ),
        (
            "a path to no member",
            "schemas/soil/1.0.json",
            &wrong_path,
            "schemas/soil/1.0.json at /x-eventpulse/measures/moisture: the schema declares no member `mositure` here (did you mean `moisture`?)",
        ),
        ("broken", "schemas/soil/1.0.json", &broken, "schemas/soil/1.0.json at /properties/bed/type: \"strin\""),
        (
            "a reference out of the bundle",
            "schemas/soil/1.0.json",
            &external,
            "schemas/soil/1.0.json at /properties/moisture/$ref: a reference stays within",
        ),
        (
            "not JSON",
            "schemas/soil/1.0.json",
            "{",
            "schemas/soil/1.0.json: is not JSON: EOF while parsing an object at line 1 column 1",
        ),
        (
            "misnamed",
            "schemas/soil/v2.json",
            SOIL,
            "schemas/soil/v2.json: a schema lies at schemas/<name>/<major>.<minor>.json",
        ),
    ];
    for (name, path, text, expected) in rows {
        copy.write("schemas/soil/1.0.json", SOIL).unwrap();
        copy.write(path, text).unwrap();
        let output = copy.cargo(&["build", "--package", "eventpulse-core-copy", "--lib"]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && errors.contains(expected), "{name}: {errors}");
    }
}
