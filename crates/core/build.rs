//! Embeds `schemas/` into the crate, and fails if one of its files is invalid.

#[path = "src/intake/schema/bundle/mod.rs"]
#[allow(dead_code, reason = "the crate uses what this script does not")]
mod bundle;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use jsonschema::json::SerdeJson;

fn main() -> ExitCode {
    // Relative to this crate; cargo watches every file below it.
    println!("cargo::rerun-if-changed=../../schemas");
    match embed(&directory_from_cargo("CARGO_MANIFEST_DIR").join("../../schemas")) {
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
    bundle::Files::checked::<SerdeJson>(&borrowed)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let mut code = String::from("const BUNDLED: &[(&str, &str)] = &[\n");
    for (path, text) in &files {
        // Writing to a string does not fail.
        let _ = writeln!(code, "    ({path:?}, {text:?}),");
    }
    code.push_str("];\n");
    fs::write(directory_from_cargo("OUT_DIR").join("bundled_schemas.rs"), code).map_err(io)
}

/// Returns a directory that cargo passes to build scripts. Read at run time, because the workspace may have moved since
/// compilation.
#[expect(clippy::disallowed_methods, reason = "cargo passes directories to build scripts by the environment")]
fn directory_from_cargo(variable: &str) -> PathBuf {
    std::env::var_os(variable).unwrap_or_default().into()
}

/// Reads every file below `directory`, by its path within `schemas/`. Skips hidden files, such as those of editors.
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
