//! Embeds `schemas/` into the crate, and fails when one of its files is wrong.

#[path = "src/intake/schema/bundle/mod.rs"]
#[allow(dead_code, reason = "the crate uses what this script does not")]
mod bundle;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use jsonschema::json::SerdeJson;

fn main() -> ExitCode {
    // Relative to this crate; cargo looks at every file below it.
    println!("cargo::rerun-if-changed=../../schemas");
    match embed(&told_by_cargo("CARGO_MANIFEST_DIR").join("../../schemas")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problems) => {
            for problem in problems {
                println!("cargo::error={}", problem.replace('\n', " "));
            }
            ExitCode::FAILURE
        }
    }
}

fn embed(schemas: &Path) -> Result<(), Vec<String>> {
    let io = |error: io::Error| vec![format!("{}: {error}", schemas.display())];
    let mut files = Vec::new();
    read(schemas, "", &mut files).map_err(io)?;
    files.sort();
    let borrowed: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    // The crate has the strict check of date-time; the files hold no instances to check.
    bundle::compile::<SerdeJson>(&borrowed, |_| true)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let mut code = String::from("const BUNDLED: &[(&str, &str)] = &[\n");
    for (path, text) in &files {
        // Writing to a string does not fail.
        let _ = writeln!(code, "    ({path:?}, {text:?}),");
    }
    code.push_str("];\n");
    fs::write(told_by_cargo("OUT_DIR").join("bundled_schemas.rs"), code).map_err(io)
}

/// A directory. Asked for when the script runs, not when it is compiled: the workspace may have moved in between.
#[expect(clippy::disallowed_methods, reason = "cargo tells build scripts by the environment")]
fn told_by_cargo(variable: &str) -> PathBuf {
    std::env::var_os(variable).unwrap_or_default().into()
}

/// Every file below `directory`, by its path within `schemas/`. Hidden files, such as those of editors, are none of ours.
fn read(directory: &Path, prefix: &str, files: &mut Vec<(String, String)>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if name.starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            read(&entry.path(), &format!("{path}/"), files)?;
        } else {
            let text = fs::read_to_string(entry.path())
                .map_err(|error| io::Error::new(error.kind(), format!("schemas/{path}: {error}")))?;
            files.push((path, text));
        }
    }
    Ok(())
}
