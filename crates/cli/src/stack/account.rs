//! The emulated AWS account: region, stack name and administrator.

/// The region of the emulator, as in samconfig.toml.
pub(super) const REGION: &str = "eu-central-1";
/// The name of the CloudFormation stack, as in samconfig.toml.
pub(super) const STACK_NAME: &str = "eventpulse";
/// The access key of the emulator's administrator.
pub(super) const ADMIN: Credentials = Credentials { access_key_id: "local", secret_access_key: "local" };

pub(super) struct Credentials {
    pub(super) access_key_id: &'static str,
    pub(super) secret_access_key: &'static str,
}
