//! The local mailbox: the mails that SNS would have sent, as files in a directory, one each. They come by real
//! subscriptions with their real filter policies; only the way from SNS to its readers is short.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use mail_parser::{Address, MessageParser};
use tokio::time::{Instant, sleep};

use crate::client::http::http_client;
use crate::stack::Stack;

/// What SNS appends to each notification begins so.
const FOOTER: &str = "\n--\nIf you wish to stop receiving notifications from this topic,";
const POLL: Duration = Duration::from_millis(20);

/// The address of a user of the stack.
#[must_use]
pub fn address(user: &str) -> String {
    format!("{user}@example.com") // as local/users.py gives it
}

/// A mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The file that it is.
    pub file: PathBuf,
    /// Whom it is from, name and address.
    pub from: String,
    /// The address that it went to.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The text, without SNS's footer.
    pub text: String,
    /// SNS's footer, as it stands below the text. Empty where there is none.
    pub footer: String,
    /// Following it confirms a subscription. Only the mail that asks for that has it.
    pub confirm_url: Option<String>,
    /// Following it ends the subscription. Every notification has it.
    pub unsubscribe_url: Option<String>,
}

/// The mails of a stack.
#[derive(Debug, Clone)]
pub struct Mailbox {
    directory: PathBuf,
}

impl Mailbox {
    /// Of a stack.
    #[must_use]
    pub fn open(stack: &Stack) -> Self {
        Self { directory: stack.mail.clone() }
    }

    /// All mails, in the order in which they were sent.
    #[must_use]
    pub fn all(&self) -> Vec<Mail> {
        self.after(0)
    }

    /// All mails but the first ones.
    #[must_use]
    pub fn after(&self, first: usize) -> Vec<Mail> {
        // What cannot be read is shown as such: whoever waits for a mail is to learn why it does not come.
        let unreadable = |error: io::Error| eprintln!("the mailbox {}: {error}", self.directory.display());
        read(&self.directory, first).map_err(unreadable).unwrap_or_default()
    }

    /// The mails to an address.
    #[must_use]
    pub fn to(&self, address: &str) -> Vec<Mail> {
        self.all().into_iter().filter(|mail| mail.to == address).collect()
    }

    /// The mails whose text names an upload.
    #[must_use]
    pub fn about(&self, upload_id: &str) -> Vec<Mail> {
        self.all().into_iter().filter(|mail| mail.text.contains(upload_id)).collect()
    }

    /// Waits until a mail is as it should be. None: it did not come in time.
    pub async fn wait(&self, patience: Duration, is_right: impl Fn(&Mail) -> bool) -> Option<Mail> {
        let deadline = Instant::now() + patience;
        loop {
            let found = self.all().into_iter().find(|mail| is_right(mail));
            if found.is_some() || Instant::now() > deadline {
                return found;
            }
            sleep(POLL).await;
        }
    }

    /// Confirms the subscription that a mail asks about, as its receiver does: by following the link.
    ///
    /// # Errors
    /// When it is no such mail, or SNS refuses.
    pub async fn confirm(&self, mail: &Mail) -> Result<(), crate::BoxError> {
        follow(mail.confirm_url.as_deref(), mail).await
    }

    /// Ends the subscription that a mail came by, by following the link.
    ///
    /// # Errors
    /// When it came by none, or SNS refuses.
    pub async fn unsubscribe(&self, mail: &Mail) -> Result<(), crate::BoxError> {
        follow(mail.unsubscribe_url.as_deref(), mail).await
    }
}

async fn follow(url: Option<&str>, mail: &Mail) -> Result<(), crate::BoxError> {
    let url = url.ok_or_else(|| format!("{} has no such link", mail.file.display()))?;
    http_client()?.get(url).send().await?.error_for_status()?;
    Ok(())
}

fn read(directory: &Path, first: usize) -> io::Result<Vec<Mail>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        // A mail that is being written has another ending.
        if path.extension().is_some_and(|ending| ending == "eml") {
            files.push(path);
        }
    }
    files.sort();
    let no_mail = |file: &Path| io::Error::other(format!("{} is no mail", file.display()));
    let mail = |file: PathBuf| parse(&fs::read(&file)?, &file).ok_or_else(|| no_mail(&file));
    files.into_iter().skip(first).map(mail).collect()
}

/// A mail from what was delivered. None: it lacks a header that every mail has.
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
        // In the text of a notification, such a link would be somebody else's.
        confirm_url: if footer.is_empty() { link(text, "Action=ConfirmSubscription&") } else { None },
        unsubscribe_url: link(footer, "Action=Unsubscribe&"),
    })
}

#[cfg(test)]
mod tests;
