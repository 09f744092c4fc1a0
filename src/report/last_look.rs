//! The last look at what is written. What it looks for is not known here: it is handed in by whoever knows the rules.

use std::fmt;

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Texts {
    /// Those of findings.
    Snippets,
    /// What stands before the domains of destinations.
    Names,
}

/// Hides in each text what must not be shown.
type Mask = dyn FnMut(Texts, &mut [&mut String]);

/// One thread's last look.
pub struct LastLook(Box<Mask>);

/// Makes one on the thread that will use it, or says why there is none.
pub type LastLookMaker = Box<dyn FnOnce() -> Result<LastLook, String> + Send>;

impl LastLook {
    pub fn new(mask: impl FnMut(Texts, &mut [&mut String]) + 'static) -> LastLook {
        LastLook(Box::new(mask))
    }

    /// Masks what is still to be seen in the texts.
    pub(super) fn mask(&mut self, are: Texts, texts: &mut [&mut String]) {
        (self.0)(are, texts);
    }
}

impl fmt::Debug for LastLook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastLook")
    }
}
