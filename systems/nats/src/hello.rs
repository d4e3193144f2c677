//! How a client introduces itself, and what a server has against it.

use std::io;

use seams::secure::{Access, Refusal};
use serde_json::json;

/// The line that a connection begins with.
pub(crate) fn connect(access: &Access) -> String {
    let mut options = json!({
        "verbose": false, "pedantic": false, "headers": true, "no_responders": true, "protocol": 1, "lang": "rust", "version": "0",
        "name": "wetdress", "tls_required": access.tls.is_some(),
    });
    if let Some(login) = &access.login {
        options["user"] = json!(login.user);
        options["pass"] = json!(login.password.as_ref().map(|password| password.reveal()));
    }
    if let Some(token) = &access.token {
        options["auth_token"] = json!(token.reveal());
    }
    format!("CONNECT {options}\r\n")
}

/// Source: the errors of NATS' documentation ("Client Protocol", `-ERR`).
pub(crate) fn refused(words: String) -> io::Error {
    let lower = words.to_ascii_lowercase();
    let known = [
        ("authorization violation", "the server refused the user, the password or the token"),
        ("authentication", "the server refused the user, the password or the token"),
        ("secure connection - tls required", "the server wants TLS"),
    ];
    match known.iter().find(|(said, _)| lower.contains(said)) {
        Some((_, why)) => Refusal(why).into(),
        None => io::Error::other(words),
    }
}

#[cfg(test)]
mod tests {
    use seams::secure::{Hidden, Login, Material, cause};

    use super::*;

    #[test]
    fn a_password_that_is_refused_is_named_and_any_other_word_is_kept() {
        let refused = refused("Authorization Violation".to_owned());
        assert_eq!(cause(&refused), Some("the server refused the user, the password or the token"));
        let other = super::refused("Maximum Connections Exceeded".to_owned());
        assert_eq!(
            (cause(&other), other.to_string().as_str()),
            (None, "Maximum Connections Exceeded")
        );
    }

    #[test]
    fn only_what_is_given_is_shown() {
        assert!(!connect(&Access::default()).contains("pass"));
        let password = Some(Hidden::new("a \"word\""));
        let login = Some(Login { user: "fleet".to_owned(), password });
        let material = Material { login, ..Material::default() };
        let line = connect(&material.access().expect("there is nothing to read"));
        assert!(
            line.contains(r#""pass":"a \"word\"""#) && line.contains(r#""user":"fleet""#),
            "{line}"
        );
    }
}
