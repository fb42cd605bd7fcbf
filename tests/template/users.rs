//! Users of the user pool, and the commands of the documentation that add them and sign them in.

use std::fs;

use serde_json::json;

use crate::expanded::{properties, repository};

/// Cognito refuses a user name in the form of an e-mail address in a pool with the alias `email`. See
/// <https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-attributes.html>.
#[test]
fn users_are_added_and_sign_in_by_their_email_address() {
    let pool = properties("UserPool");
    assert_eq!(pool["UsernameAttributes"], json!(["email"]));
    assert!(pool["AliasAttributes"].is_null(), "a pool has one of the two");
    assert_eq!(pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"], true);

    let pages = ["README.md", "docs/api.md", "docs/cli.md", "docs/deployment.md"];
    let text: String = pages.iter().map(|page| fs::read_to_string(repository().join(page)).unwrap()).collect();
    let names: Vec<_> = ["--username ", "USERNAME: \""]
        .iter()
        .flat_map(|before| text.split(before).skip(1))
        .map(|rest| rest.split([' ', '"', '\n', ']']).next().unwrap())
        .collect();
    assert!(names.len() > 3, "{names:?}");
    for name in names {
        assert!(name.contains('@') || name == "ADDRESS", "not an e-mail address: {name}");
    }
}

#[test]
fn an_invitation_names_the_address_and_the_temporary_password() {
    let message = &properties("UserPool")["AdminCreateUserConfig"]["InviteMessageTemplate"]["EmailMessage"];
    let message = message["Fn::Sub"].as_str().unwrap();
    // Cognito refuses a message without these placeholders, and one of more than 20,000 characters.
    assert!(message.contains("{username}") && message.contains("{####}") && message.len() < 20_000, "{message}");
}
