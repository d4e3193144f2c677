//! A secret as a scenario writes it, and what it holds once it was read.

use std::{borrow::Cow, env, fmt, fs, path::PathBuf};

use document::Complaint;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

/// Bytes of the longest secret: a bundle of certificates is far shorter.
const BYTES_MAX: usize = 1 << 20;

/// Where a password, a token, a key or a certificate is; never what it is. A plan and a record hold no more than this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// A text file; relative names are made absolute by the plan, from the file of the scenario that they stand in.
    File(PathBuf),
    /// A variable of the environment of `wetdress`.
    Env(String),
}

/// What a secret holds. `Debug` does not show it, and nothing serialises it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden(String);

/// Why a secret cannot be had; the text names the place, never the content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error("the file `{}` cannot be read: {why}", path.display())]
    File { path: PathBuf, why: String },
    #[error("the environment variable `{0}` is not set")]
    NotSet(String),
    #[error("the environment variable `{0}` is not UTF-8 text")]
    NotText(String),
    #[error("{0} is empty")]
    Empty(Secret),
    #[error("{0} is longer than {BYTES_MAX} bytes")]
    Long(Secret),
    #[error("{what} cannot be used: {why}")]
    Unusable { what: &'static str, why: String },
}

impl Secret {
    /// The `format` by which a schema marks such a parameter.
    pub const FORMAT: &str = "secret";

    /// What is there now, without the end of its last line.
    ///
    /// # Errors
    /// It is not there, empty, no text, or longer than a mebibyte.
    pub fn read(&self) -> Result<Hidden, SecretError> {
        let text = match self {
            Self::File(path) => fs::read_to_string(path).map_err(|error| SecretError::File {
                path: path.clone(),
                why: error.to_string(),
            })?,
            Self::Env(name) => env::var(name).map_err(|error| match error {
                env::VarError::NotPresent => SecretError::NotSet(name.clone()),
                env::VarError::NotUnicode(_) => SecretError::NotText(name.clone()),
            })?,
        };
        let text = text.strip_suffix('\n').unwrap_or(&text);
        match text.strip_suffix('\r').unwrap_or(text) {
            "" => Err(SecretError::Empty(self.clone())),
            long if long.len() > BYTES_MAX => Err(SecretError::Long(self.clone())),
            text => Ok(Hidden(text.to_owned())),
        }
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file `{}`", path.display()),
            Self::Env(name) => write!(f, "the environment variable `{name}`"),
        }
    }
}

impl Hidden {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For whoever has to send it or write it for a server.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// The two ways to write it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    file: Option<PathBuf>,
    env: Option<String>,
}

const HELP: &str =
    "Write where it is: `{file: NAME}`, beside the file that this stands in, or `{env: NAME}`";

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl Written {
            fn out<E: de::Error>() -> E {
                let message = "a secret does not stand in a scenario, which others read and which every record holds";
                Complaint::new(Secret::FORMAT, message).help(HELP).raise()
            }
        }

        impl<'de> de::Visitor<'de> for Written {
            type Value = Secret;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("where a secret is: `{file: NAME}` or `{env: NAME}`")
            }
            fn visit_str<E: de::Error>(self, _: &str) -> Result<Secret, E> {
                Err(Self::out())
            }
            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Secret, E> {
                Err(Self::out())
            }
            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Secret, E> {
                Err(Self::out())
            }
            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Secret, E> {
                Err(Self::out())
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Secret, A::Error> {
                let place = Place::deserialize(de::value::MapAccessDeserializer::new(map))?;
                match place {
                    Place { file: Some(path), env: None } => Ok(Secret::File(path)),
                    Place { file: None, env: Some(name) } => Ok(Secret::Env(name)),
                    _ => Err(Complaint::new("type", "a secret is at one place").help(HELP).raise()),
                }
            }
        }

        deserializer.deserialize_any(Written)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Where a secret is: `{file: NAME}`, beside the file that this stands in, or `{env: NAME}`.",
            "type": "object",
            "format": Self::FORMAT,
            "properties": {"file": {"type": "string"}, "env": {"type": "string"}},
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_holds_where_a_secret_is_and_nothing_shows_what_it_is() {
        let folder = env::temp_dir().join(format!("wetdress-secret-{}", std::process::id()));
        fs::write(&folder, "hunter2\n").expect("a file is written");
        let secret = Secret::File(folder.clone());
        let read = secret.read().expect("the file is there");
        assert_eq!(read.reveal(), "hunter2");
        assert_eq!(format!("{read:?}"), "(hidden)");
        let stored = serde_json::to_string(&secret).expect("plain data");
        assert_eq!(serde_json::from_str::<Secret>(&stored).expect("it is read again"), secret);
        assert!(![stored, format!("{secret:?}")].concat().contains("hunter2"));
        fs::write(&folder, "\n").expect("a file is written");
        assert_eq!(secret.read(), Err(SecretError::Empty(secret.clone())));
        fs::remove_file(&folder).expect("the file was there");
        let why = secret.read().expect_err("it is gone").to_string();
        assert!(why.contains("cannot be read"), "{why}");
        let unset = Secret::Env("WETDRESS_NO_SUCH_VARIABLE".to_owned());
        let why = unset.read().expect_err("nobody sets it").to_string();
        assert!(why.contains("`WETDRESS_NO_SUCH_VARIABLE` is not set"), "{why}");
    }

    #[test]
    fn a_secret_that_is_written_out_is_refused_without_being_repeated() {
        for text in ["\"hunter2\"", "1234", "-1", "0.5"] {
            let why = serde_json::from_str::<Secret>(text).expect_err("inline").to_string();
            assert!(why.contains("{env: NAME}") && !why.contains("hunter2"), "{why}");
        }
        for text in ["{}", "{\"file\": \"a\", \"env\": \"b\"}"] {
            let why = serde_json::from_str::<Secret>(text).expect_err("no place").to_string();
            assert!(why.contains("at one place"), "{why}");
        }
    }
}
