//! The last look at snippets before they are written. What it looks for is not known here: it is handed in by
//! whoever knows the rules.

use std::fmt;

/// Hides in each snippet what must not be shown.
type Mask = dyn FnMut(&mut [&mut String]);

/// One thread's last look.
pub struct LastLook(Box<Mask>);

/// Makes one on the thread that will use it, or says why there is none.
pub type LastLookMaker = Box<dyn FnOnce() -> Result<LastLook, String> + Send>;

impl LastLook {
    pub fn new(mask: impl FnMut(&mut [&mut String]) + 'static) -> LastLook {
        LastLook(Box::new(mask))
    }

    /// Masks what is still to be seen in the snippets.
    pub(super) fn mask(&mut self, snippets: &mut [&mut String]) {
        (self.0)(snippets);
    }
}

impl fmt::Debug for LastLook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastLook")
    }
}
