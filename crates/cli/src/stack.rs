//! The local stack: an emulator of AWS on a port of 127.0.0.1, and `template.yaml` deployed to it.
//!
//! ```text
//! tools      the requirements on this machine; the virtual environment with the pinned tools
//! template   template.yaml with its loops expanded
//! build      cargo build and sam build of the functions
//! emulator   ministack, a child process
//! kept       the data that continues in the next run
//! deploy     sam deploy, and the outputs of the stack
//! users      users of the user pool
//! running    the stack itself: start, end, access
//! ```

mod account;
mod build;
mod command;
mod deploy;
mod emulator;
mod error;
mod kept;
mod options;
mod running;
mod template;
mod tools;
mod users;

pub use emulator::{Port, USUAL_PORT};
pub use error::{Missing, StackError};
pub use eventpulse_launcher::progress::Progress;
pub use kept::Kept;
pub use options::{Data, Options};
pub use running::{Stack, python};
pub use users::PASSWORD;
