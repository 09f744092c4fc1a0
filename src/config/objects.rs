//! Objects of the configuration file ▶ their members, each checked, each error with its place in the list. Knows
//! no key of its own.

use std::fmt;

use serde_json::{Map, Value as Json};

use super::shown;

/// What is wrong in a list, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Behind the key's name, as in `[2].source`.
    pub place: String,
    /// As it stands there.
    pub value: String,
    /// In words that complete "must be …".
    pub allowed: String,
}

impl Misfit {
    pub fn new(place: impl Into<String>, value: &Json, allowed: impl Into<String>) -> Misfit {
        Misfit { place: place.into(), value: shown::json(value), allowed: allowed.into() }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} is not allowed: must be {}", self.place, self.value, self.allowed)
    }
}

/// Reads each object of a list.
pub fn each<T>(
    list: &Json,
    place: &str,
    max: usize,
    read: impl Fn(&Object<'_>) -> Result<T, Misfit>,
) -> Result<Vec<T>, Misfit> {
    let Json::Array(items) = list else {
        return Err(Misfit::new(place, list, "a list of objects"));
    };
    if items.len() > max {
        let count = Json::from(items.len());
        return Err(Misfit::new(format!("{place} (length)"), &count, format!("at most {max}")));
    }
    let numbered = items.iter().enumerate();
    numbered.map(|(number, item)| read(&Object::new(item, format!("{place}[{number}]"))?)).collect()
}

/// One object, and where it stands.
pub struct Object<'a> {
    members: &'a Map<String, Json>,
    whole: &'a Json,
    place: String,
}

impl<'a> Object<'a> {
    pub fn new(json: &'a Json, place: String) -> Result<Object<'a>, Misfit> {
        match json {
            Json::Object(members) => Ok(Object { members, whole: json, place }),
            other => Err(Misfit::new(place, other, "an object")),
        }
    }

    /// Refuses members that nobody reads: a condition with a misspelt name would not hold.
    pub fn only(&self, names: &[&str]) -> Result<(), Misfit> {
        match self.members.iter().find(|(name, _)| !names.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, value)) => {
                let place = self.place_of(&shown::name(name));
                let allowed = format!("left out: it is unknown, known are {}", names.join(", "));
                Err(Misfit::new(place, value, allowed))
            }
        }
    }

    /// A member that is there.
    pub fn get(&self, name: &str) -> Option<&'a Json> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    /// A text that is not empty; none if it is left out.
    pub fn text(&self, name: &str) -> Result<Option<&'a str>, Misfit> {
        self.parsed(name, "text that is not empty", |text| (!text.is_empty()).then_some(text))
    }

    /// The same where it may not be left out.
    pub fn required_text(&self, name: &str) -> Result<&'a str, Misfit> {
        self.text(name)?.ok_or_else(|| {
            let allowed = format!("an object with {name:?}, text that is not empty");
            Misfit::new(self.place.clone(), self.whole, allowed)
        })
    }

    /// A text that means something.
    pub fn parsed<T>(
        &self,
        name: &str,
        allowed: &str,
        parse: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<Option<T>, Misfit> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let parsed = value.as_str().and_then(|text| parse(text.trim()));
        parsed.map(Some).ok_or_else(|| Misfit::new(self.place_of(name), value, allowed))
    }

    /// A list of texts that are not empty; none if it is left out.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>, Misfit> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let text = |item: &Json| {
            let text = item.as_str()?.trim();
            (!text.is_empty()).then(|| text.to_owned())
        };
        let texts = value.as_array().and_then(|items| items.iter().map(text).collect());
        let wrong = || Misfit::new(self.place_of(name), value, "a list of texts, none empty");
        texts.map(Some).ok_or_else(wrong)
    }

    /// An error about the object as a whole.
    pub fn misfit(&self, allowed: &str) -> Misfit {
        Misfit::new(self.place.clone(), self.whole, allowed)
    }

    pub fn place_of(&self, name: &str) -> String {
        format!("{}.{name}", self.place)
    }
}
