//! What the commands that use the proxy say of themselves, where it asks: `CLAWSEC_PROXY_CREDENTIALS`, as
//! `user:secret`. Never shown.

use std::fmt;

use data_encoding::BASE64;

use crate::config::CREDENTIALS_VARIABLE;

/// A user and a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: String,
    secret: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

impl Credentials {
    /// Those of the environment, if there are any.
    pub fn inherited(inherited: &dyn Fn(&str) -> Option<String>) -> Option<Credentials> {
        let pair = inherited(CREDENTIALS_VARIABLE)?;
        let (user, secret) = pair.split_once(':')?;
        (!user.is_empty()).then(|| Credentials { user: user.to_owned(), secret: secret.to_owned() })
    }

    /// As they stand in a URL in front of the host, `@` included (RFC 3986 §3.2.1).
    pub fn userinfo(&self) -> String {
        format!("{}:{}@", percent_encoded(&self.user), percent_encoded(&self.secret))
    }

    /// The field that carries them (RFC 7617), its line end included.
    pub fn header(&self) -> String {
        let pair = format!("{}:{}", self.user, self.secret);
        format!("Proxy-Authorization: Basic {}\r\n", BASE64.encode(pair.as_bytes()))
    }
}

/// All but what is unreserved.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pair: &str) -> Option<Credentials> {
        Credentials::inherited(&|name| (name == CREDENTIALS_VARIABLE).then(|| pair.to_owned()))
    }

    #[test]
    fn they_fit_a_url_and_a_field() {
        let credentials = of("coder:p@ss:é/").unwrap();
        assert_eq!(credentials.userinfo(), "coder:p%40ss%3A%C3%A9%2F@");
        let expected = BASE64.encode("coder:p@ss:é/".as_bytes());
        assert_eq!(credentials.header(), format!("Proxy-Authorization: Basic {expected}\r\n"));
        assert!(!format!("{credentials:?}").contains("coder"));
    }

    #[test]
    fn what_is_no_pair_is_none() {
        assert_eq!(of("coder"), None);
        assert_eq!(of(":secret"), None);
        assert_eq!(Credentials::inherited(&|_| None), None);
    }
}
