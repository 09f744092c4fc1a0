//! The last look at a snippet before it is written. What it looks for is not known here: it is handed in by
//! whoever knows the rules.

use std::fmt;

/// Tells what must be shown instead, or none if nothing has to be hidden any more.
type Masked = dyn FnMut(&str) -> Option<String>;

/// One thread's last look.
pub struct LastLook(Box<Masked>);

/// Makes one on the thread that will use it.
pub type LastLookMaker = Box<dyn FnOnce() -> Option<LastLook> + Send>;

impl LastLook {
    pub fn new(masked: impl FnMut(&str) -> Option<String> + 'static) -> LastLook {
        LastLook(Box::new(masked))
    }

    /// The snippet with what was still to be seen in it masked.
    pub(super) fn masked(&mut self, snippet: &str) -> Option<String> {
        (self.0)(snippet)
    }
}

impl fmt::Debug for LastLook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastLook")
    }
}
