//! The profile: the file with the sign-in.
//!
//! It holds tokens, so it is written with mode 0600, and not read when others may read it.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use serde::{Deserialize, Serialize};

use super::error::ClientError;

/// The signed-in user, the API, and the tokens.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The URL of the REST API, without a trailing slash.
    pub api: String,
    /// The URL of Cognito.
    pub endpoint: String,
    /// The client of the user pool.
    pub client_id: String,
    /// The e-mail address of the user.
    pub username: String,
    /// The token that every call of the API carries.
    pub id_token: String,
    /// The token that renews the ID token.
    pub refresh_token: String,
    /// When the ID token expires, in seconds since 1970.
    pub expires_at: i64,
}

/// Leaves out the tokens.
impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { api, endpoint, client_id, username, expires_at, .. } = self;
        let mut text = f.debug_struct("Profile");
        text.field("api", api).field("endpoint", endpoint).field("client_id", client_id);
        text.field("username", username).field("expires_at", expires_at).finish_non_exhaustive()
    }
}

/// Returns the path of the profile: the given one, else `EVENTPULSE_PROFILE`, else one in the configuration directory.
///
/// # Errors
/// Fails when there is no home directory.
pub fn path(explicit: Option<PathBuf>) -> Result<PathBuf, ClientError> {
    // A client's profile is no Config of a function: the command line reads this one variable, here only.
    #[allow(clippy::disallowed_methods)]
    let given = explicit.or_else(|| std::env::var_os("EVENTPULSE_PROFILE").filter(|it| !it.is_empty()).map(Into::into));
    if let Some(path) = given {
        return Ok(path);
    }
    match etcetera::choose_base_strategy() {
        Ok(directories) => Ok(directories.config_dir().join("eventpulse").join("profile.json")),
        Err(_) => Err(ClientError::Other("there is no home directory: use --profile FILE".to_owned())),
    }
}

/// Reads the profile.
///
/// # Errors
/// Fails when nobody is signed in, when others may read the file, or when it is not a profile.
pub fn load(path: &Path) -> Result<Profile, ClientError> {
    let failed = |error| other("cannot be read", path, &error);
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(ClientError::SignedOut("sign in first: eventpulse login --api URL".to_owned()));
        }
        Err(error) => return Err(failed(error)),
    };
    // Of the open file, so that it is not exchanged in between.
    if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
        let path = path.display();
        return Err(ClientError::Other(format!("others may read {path}, which holds tokens: chmod 600 {path}")));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(failed)?;
    serde_json::from_str(&text).map_err(|error| {
        ClientError::SignedOut(format!(
            "{} is not a profile ({error}): sign in again: eventpulse login --api URL",
            path.display()
        ))
    })
}

/// Writes the profile atomically, readable for its owner only.
///
/// # Errors
/// Fails when the directory or the file cannot be written.
pub fn save(path: &Path, profile: &Profile) -> Result<(), ClientError> {
    let text = serde_json::to_vec_pretty(profile)
        .map_err(|error| ClientError::Other(format!("the profile cannot be written: {error}")))?;
    let temporary = temporary(path)?;
    write(&temporary, path, &text).map_err(|error| {
        let _ = std::fs::remove_file(&temporary); // it holds tokens too
        other("cannot be written", path, &error)
    })
}

fn write(temporary: &Path, path: &Path, text: &[u8]) -> std::io::Result<()> {
    if let Some(directory) = path.parent().filter(|it| !it.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(temporary)?;
    file.set_permissions(Permissions::from_mode(0o600))?; // whatever the umask
    file.write_all(text)?;
    file.sync_all()?;
    std::fs::rename(temporary, path)
}

/// Returns a random name beside the profile.
fn temporary(path: &Path) -> Result<PathBuf, ClientError> {
    let random =
        getrandom::u64().map_err(|error| ClientError::Other(format!("this machine has no random numbers: {error}")))?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{random:016x}"));
    Ok(path.with_file_name(name))
}

/// Deletes the profile, if there is one.
///
/// # Errors
/// Fails when the file cannot be deleted.
pub fn remove(path: &Path) -> Result<(), ClientError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(other("cannot be removed", path, &error)),
        _ => Ok(()),
    }
}

fn other(what: &str, path: &Path, error: &std::io::Error) -> ClientError {
    ClientError::Other(format!("{} {what}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        Profile {
            api: "https://api.example/v1".to_owned(),
            endpoint: "https://cognito.example/".to_owned(),
            client_id: "client".to_owned(),
            username: "ada".to_owned(),
            id_token: "id-secret".to_owned(),
            refresh_token: "refresh-secret".to_owned(),
            expires_at: 1_700_000_000,
        }
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn saved_profile_is_loaded_and_private() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("new").join("profile.json");
        save(&path, &profile()).unwrap();
        assert_eq!(load(&path).unwrap(), profile());
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }

    #[test]
    fn save_replaces_the_file_atomically() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("profile.json");
        std::fs::write(&path, "x".repeat(10_000)).unwrap(); // longer, and for all to read
        let before = std::fs::File::open(&path).unwrap();
        save(&path, &profile()).unwrap();
        // Whoever had opened the old file still reads the old one: it was exchanged, not overwritten.
        assert_eq!(before.metadata().unwrap().len(), 10_000);
        assert_eq!((load(&path).unwrap(), mode(&path)), (profile(), 0o600));
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn failed_save_leaves_no_tokens() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("profile.json");
        std::fs::create_dir_all(path.join("in the way")).unwrap();
        assert!(save(&path, &profile()).unwrap_err().to_string().contains("cannot be written"));
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn readable_profile_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("profile.json");
        save(&path, &profile()).unwrap();
        for open in [0o640, 0o604, 0o620, 0o644] {
            std::fs::set_permissions(&path, Permissions::from_mode(open)).unwrap();
            let error = load(&path).unwrap_err().to_string();
            assert!(error.contains(&format!("chmod 600 {}", path.display())), "{open:o}: {error}");
        }
    }

    #[test]
    fn missing_profile_asks_to_sign_in() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("profile.json");
        assert!(load(&path).unwrap_err().to_string().contains("sign in first: eventpulse login --api URL"));
        remove(&path).unwrap();
        save(&path, &profile()).unwrap();
        remove(&path).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn debug_output_contains_no_tokens() {
        let text = format!("{:?}", profile());
        assert!(text.contains("ada") && !text.contains("secret"), "{text}");
    }

    #[test]
    fn given_path_is_used() {
        assert_eq!(path(Some("here.json".into())).unwrap(), PathBuf::from("here.json"));
    }
}
