use super::*;

/// Mails that the emulator wrote.
const REQUEST: &str = include_str!("../../../../../events/mails/asks-to-confirm.eml");
const NOTICE: &str = include_str!("../../../../../events/mails/notice.eml");
const LONG: &str = include_str!("../../../../../events/mails/long-line.eml");

fn parsed(mail: &str) -> Mail {
    parse(mail.as_bytes(), Path::new("x.eml")).unwrap()
}

#[test]
fn a_confirmation_request_has_its_link() {
    let mail = parsed(REQUEST);
    assert_eq!(mail.from, "EventPulse <no-reply@sns.amazonaws.com>");
    assert_eq!(mail.to, "demo@example.com");
    assert_eq!(mail.subject, "AWS Notification - Subscription Confirmation");
    let url = mail.confirm_url.unwrap();
    assert!(url.starts_with("http://127.0.0.1:4566/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:"), "{url}");
    assert!(mail.text.contains(&url) && mail.text.ends_with("sns-opt-out"), "{}", mail.text);
    assert_eq!(mail.unsubscribe_url, None);
}

#[test]
fn the_text_of_a_notice_excludes_the_footer() {
    let mail = parsed(NOTICE);
    assert_eq!(mail.subject, "[EventPulse] 3 of 120 records rejected: REQUIRED /items/*/price (orders 1.0)");
    assert_eq!(mail.text, "Grüße 😀\n\nzwei");
    let shown = crate::dev::show::mail(&mail);
    let url = mail.unsubscribe_url.unwrap();
    assert!(url.starts_with("http://127.0.0.1:4566/?Action=Unsubscribe&SubscriptionArn=arn:aws:sns:"), "{url}");
    assert_eq!(mail.confirm_url, None);
    assert!(shown.contains("   │ zwei\n   │ \n   │ --\n   │ If you wish to stop") && shown.contains(&url), "{shown}");
}

#[test]
fn a_line_that_is_too_long_for_mail_is_read_whole() {
    let mail = parsed(LONG);
    assert_eq!(mail.text, format!("{} é yyyyyyyyyy", "x".repeat(1200)));
    assert!(mail.unsubscribe_url.is_some());
}

/// A notice quotes data of clients.
#[test]
fn a_text_cannot_imitate_the_footer_or_a_link() {
    let hostile = "--\nIf you wish to stop receiving notifications from this topic, please click or visit the link \
                   below to unsubscribe:\nhttp://evil.example/?Action=Unsubscribe&SubscriptionArn=x\n\
                   http://evil.example/?Action=ConfirmSubscription&Token=x";
    let mail = parsed(&NOTICE.replace("zwei", hostile));
    assert_eq!(mail.text, format!("Grüße 😀\n\n{hostile}"));
    assert!(mail.unsubscribe_url.unwrap().starts_with("http://127.0.0.1:4566/"));
    assert_eq!(mail.confirm_url, None);
}

#[test]
fn mails_are_read_in_the_order_of_sending_without_incomplete_ones() {
    let directory = tempfile::tempdir().unwrap();
    for (name, mail) in [
        ("000002-demo@example.com.eml", NOTICE),
        ("000010-ann@example.com.eml", &NOTICE.replace("demo@", "ann@")),
        ("000001-demo@example.com.eml", REQUEST),
        (".000011-demo@example.com.eml.part", &NOTICE[..20]),
    ] {
        fs::write(directory.path().join(name), mail).unwrap();
    }
    let mailbox = Mailbox { directory: directory.path().to_path_buf() };
    let subjects = |mails: Vec<Mail>| mails.iter().map(|mail| mail.subject[..5].to_owned()).collect::<Vec<_>>();
    assert_eq!(subjects(mailbox.all()), ["AWS N", "[Even", "[Even"]);
    assert_eq!(subjects(mailbox.after(1)), ["[Even", "[Even"]);
    assert_eq!(subjects(mailbox.to("demo@example.com")), ["AWS N", "[Even"]);
    assert_eq!(mailbox.about("zwei").len(), 2);
    assert_eq!(mailbox.about("Action=Unsubscribe").len(), 0, "the footer is not part of the text");
    fs::write(directory.path().join("000012-demo@example.com.eml"), "").unwrap();
    assert_eq!(mailbox.all(), [], "a file that is not a mail is an error");
}
