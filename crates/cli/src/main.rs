//! `eventpulse`: the command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use eventpulse_cli::commands::{self, Global};
use eventpulse_cli::dev;

/// Upload JSON; get trustworthy statistics, or an exact rejection.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the whole of EventPulse on this machine and uploads the samples of `events/uploads/`.
    Dev(dev::Args),
    #[command(flatten)]
    Client(commands::Command),
}

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { global, command } = Cli::parse();
    let args = match command {
        Command::Client(command) => return commands::run(command, &global).await,
        Command::Dev(args) => args,
    };
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
