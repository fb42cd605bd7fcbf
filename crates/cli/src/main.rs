//! `eventpulse`: the command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use eventpulse_cli::dev;

/// Upload JSON; get trustworthy statistics, or an exact rejection.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the whole of EventPulse on this machine and uploads the samples of `events/uploads/`.
    Dev(dev::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { command: Command::Dev(args) } = Cli::parse();
    match dev::run(&args).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                eprintln!("  because: {cause}");
                source = cause.source();
            }
            ExitCode::FAILURE
        }
    }
}
