//! The local mailbox: the mails of SNS as files in a directory, one file per mail. The subscriptions and their filter policies
//! are those of the deployed stack; only the delivery is local.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use mail_parser::{Address, MessageParser};
use tokio::time::{Instant, sleep};

use crate::client::http::http_client;
use crate::stack::Stack;

/// The beginning of the text that SNS appends to each notification.
const FOOTER: &str = "\n--\nIf you wish to stop receiving notifications from this topic,";
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Returns the e-mail address of a user of the stack.
#[must_use]
pub fn address(user: &str) -> String {
    format!("{user}@example.com") // as in local/users.py
}

/// A mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The file.
    pub file: PathBuf,
    /// The name and address of the sender.
    pub from: String,
    /// The address of the receiver.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The text, without the footer of SNS.
    pub text: String,
    /// The footer of SNS. Empty if there is none.
    pub footer: String,
    /// The link that confirms a subscription. Only a confirmation request has it.
    pub confirm_url: Option<String>,
    /// The link that ends the subscription. Every notification has it.
    pub unsubscribe_url: Option<String>,
}

/// The mails of a stack.
#[derive(Debug, Clone)]
pub struct Mailbox {
    directory: PathBuf,
}

impl Mailbox {
    /// Opens the mailbox of a stack.
    #[must_use]
    pub fn open(stack: &Stack) -> Self {
        Self { directory: stack.mail.clone() }
    }

    /// Returns all mails in the order of sending.
    #[must_use]
    pub fn all(&self) -> Vec<Mail> {
        self.after(0)
    }

    /// Returns all mails after the first `first` ones.
    #[must_use]
    pub fn after(&self, first: usize) -> Vec<Mail> {
        // The error is shown, because it explains why a mail does not arrive.
        let unreadable = |error: io::Error| eprintln!("cannot read the mailbox {}: {error}", self.directory.display());
        read(&self.directory, first).map_err(unreadable).unwrap_or_default()
    }

    /// Returns the mails to an address.
    #[must_use]
    pub fn to(&self, address: &str) -> Vec<Mail> {
        self.all().into_iter().filter(|mail| mail.to == address).collect()
    }

    /// Returns the mails whose text contains an upload id.
    #[must_use]
    pub fn about(&self, upload_id: &str) -> Vec<Mail> {
        self.all().into_iter().filter(|mail| mail.text.contains(upload_id)).collect()
    }

    /// Waits for a mail that meets a condition. Returns `None` if none arrives within `timeout`.
    pub async fn wait(&self, timeout: Duration, is_wanted: impl Fn(&Mail) -> bool) -> Option<Mail> {
        let deadline = Instant::now() + timeout;
        loop {
            let found = self.all().into_iter().find(|mail| is_wanted(mail));
            if found.is_some() || Instant::now() > deadline {
                return found;
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Confirms a subscription by the link in a confirmation request.
    ///
    /// # Errors
    /// Returns an error if the mail is no confirmation request or SNS refuses.
    pub async fn confirm(&self, mail: &Mail) -> Result<(), crate::BoxError> {
        follow(mail.confirm_url.as_deref(), mail).await
    }

    /// Ends a subscription by the link in a notification.
    ///
    /// # Errors
    /// Returns an error if the mail is no notification or SNS refuses.
    pub async fn unsubscribe(&self, mail: &Mail) -> Result<(), crate::BoxError> {
        follow(mail.unsubscribe_url.as_deref(), mail).await
    }
}

async fn follow(url: Option<&str>, mail: &Mail) -> Result<(), crate::BoxError> {
    let url = url.ok_or_else(|| format!("the mail {} has no such link", mail.file.display()))?;
    http_client()?.get(url).send().await?.error_for_status()?;
    Ok(())
}

fn read(directory: &Path, first: usize) -> io::Result<Vec<Mail>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        // An incomplete mail has another ending.
        if path.extension().is_some_and(|ending| ending == "eml") {
            files.push(path);
        }
    }
    files.sort();
    let no_mail = |file: &Path| io::Error::other(format!("{} is not a mail", file.display()));
    let mail = |file: PathBuf| parse(&fs::read(&file)?, &file).ok_or_else(|| no_mail(&file));
    files.into_iter().skip(first).map(mail).collect()
}

/// Parses a mail. Returns `None` if it lacks a header that every mail has.
fn parse(bytes: &[u8], file: &Path) -> Option<Mail> {
    let message = MessageParser::default().parse(bytes)?;
    let first = |addresses: Option<&Address<'_>>| {
        let address = addresses?.first()?;
        Some((address.name().map(str::to_owned), address.address()?.to_owned()))
    };
    let (name, address) = first(message.from())?;
    let body = message.body_text(0)?.replace("\r\n", "\n");
    let (text, footer) = body.split_at(body.rfind(FOOTER).unwrap_or(body.len()));
    let link = |text: &str, action: &str| {
        let mut words = text.split_whitespace();
        words.find(|word| word.starts_with("http") && word.contains(action)).map(str::to_owned)
    };
    Some(Mail {
        file: file.to_path_buf(),
        from: name.map_or_else(|| address.clone(), |name| format!("{name} <{address}>")),
        to: first(message.to())?.1,
        subject: message.subject()?.to_owned(),
        text: text.trim_end().to_owned(),
        footer: footer.trim_end().to_owned(),
        // Such a link in a notification would come from the data of a client.
        confirm_url: if footer.is_empty() { link(text, "Action=ConfirmSubscription&") } else { None },
        unsubscribe_url: link(footer, "Action=Unsubscribe&"),
    })
}

#[cfg(test)]
mod tests;
