//! The data that a stack keeps across runs: the state of the emulator and the mails, one directory per port.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::error::StackError;

/// The file that `local/emulator.py` creates after the emulator has saved its state.
const SAVED: &str = "saved";
/// The file that marks a stack whose first run was completed by [`Kept::mark_populated`].
const POPULATED: &str = "populated";

/// The directory of kept data.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Kept {
    directory: PathBuf,
    is_continued: bool,
}

impl Kept {
    /// Opens the data of a port below `state`. Deletes data that cannot be continued: the first run did not come to its
    /// end, or the emulator was killed before it saved its state. With `fresh`, deletes the data in any case.
    ///
    /// The data contains URLs with the port, so it belongs to that port.
    ///
    /// # Errors
    /// [`StackError::Io`] if the directory cannot be deleted or created.
    pub(super) fn open(state: &Path, port: u16, fresh: bool) -> Result<Self, StackError> {
        let directory = state.join("kept").join(port.to_string());
        let is_continued = !fresh && [SAVED, POPULATED].iter().all(|mark| directory.join(mark).exists());
        if !is_continued {
            remove(&directory).map_err(StackError::io("delete", &directory))?;
        }
        fs::create_dir_all(&directory).map_err(StackError::io("create", &directory))?;
        Ok(Self { directory, is_continued })
    }

    /// Returns whether the stack continues with the data of an earlier run.
    #[must_use]
    pub fn is_continued(&self) -> bool {
        self.is_continued
    }

    /// Marks the saved state as outdated, because a running emulator changes it.
    ///
    /// # Errors
    /// [`StackError::Io`] if the mark cannot be deleted.
    pub(super) fn mark_in_use(&self) -> Result<(), StackError> {
        let mark = self.directory.join(SAVED);
        if mark.exists() { fs::remove_file(&mark).map_err(StackError::io("delete", &mark)) } else { Ok(()) }
    }

    /// Marks the first run as complete: the next run continues with its data.
    ///
    /// # Errors
    /// [`StackError::Io`] if the mark cannot be written.
    pub fn mark_populated(&self) -> Result<(), StackError> {
        let mark = self.directory.join(POPULATED);
        fs::write(&mark, "").map_err(StackError::io("write", &mark))
    }

    /// Returns the directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the variables that make the emulator save and load its state.
    pub(super) fn environment(&self) -> [(&'static str, PathBuf); 5] {
        [
            ("PERSIST_STATE", "1".into()),
            ("STATE_DIR", self.directory.join("state")),
            ("S3_PERSIST", "1".into()),
            ("S3_DATA_DIR", self.directory.join("s3")),
            ("EVENTPULSE_SAVED_MARK", self.directory.join(SAVED)),
        ]
    }
}

fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Opens the data with these marks and one more file. Returns whether that file is still there.
    fn survives(marks: &[&str], fresh: bool) -> bool {
        let state = tempfile::tempdir().unwrap();
        let directory = state.path().join("kept/4566");
        fs::create_dir_all(&directory).unwrap();
        for name in marks.iter().chain(&["data"]) {
            fs::write(directory.join(name), "").unwrap();
        }
        let kept = Kept::open(state.path(), 4566, fresh).unwrap();
        assert!(kept.directory().is_dir());
        let survives = directory.join("data").exists();
        assert_eq!(kept.is_continued(), survives);
        survives
    }

    #[test]
    fn only_complete_data_is_continued() {
        for (marks, fresh, continued) in [
            (&[SAVED, POPULATED][..], false, true),
            (&[SAVED, POPULATED], true, false),
            (&[POPULATED], false, false),
            (&[SAVED], false, false),
            (&[], false, false),
        ] {
            assert_eq!(survives(marks, fresh), continued, "{marks:?}, fresh: {fresh}");
        }
    }

    #[test]
    fn each_port_has_its_own_data() {
        let state = tempfile::tempdir().unwrap();
        let one = Kept::open(state.path(), 4566, false).unwrap();
        let other = Kept::open(state.path(), 5000, false).unwrap();
        assert_ne!(one.directory(), other.directory());
    }

    #[test]
    fn a_run_is_continued_once_it_is_populated_and_saved() {
        let state = tempfile::tempdir().unwrap();
        let open = || Kept::open(state.path(), 4566, false).unwrap();
        assert!(!open().is_continued(), "there is no data");
        open().mark_populated().unwrap();
        assert!(!open().is_continued(), "the emulator has not saved its state");
        let kept = open();
        kept.mark_populated().unwrap();
        fs::write(kept.directory().join(SAVED), "").unwrap();
        assert!(open().is_continued());
    }
}
