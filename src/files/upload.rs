//! Files that clients send into the folder.

use super::serve::Site;
use crate::app::App;
use std::sync::Arc;

/// Who may send what into the folder.
#[derive(Clone, Debug)]
#[allow(dead_code, reason = "being built")]
pub struct Uploads {
    max: u64,
    overwrite: bool,
}

/// The longest file that is taken unless something else is said.
const MAX: u64 = 1 << 30;

impl Default for Uploads {
    fn default() -> Uploads {
        Uploads { max: MAX, overwrite: false }
    }
}

impl Uploads {
    /// Files of up to 1 GiB, none of which replaces another.
    #[must_use]
    pub fn new() -> Uploads {
        Uploads::default()
    }

    /// The longest request content that is taken, in bytes; more is 413.
    #[must_use]
    pub fn max(mut self, bytes: u64) -> Uploads {
        self.max = bytes;
        self
    }

    /// Whether a file may take the place of one that is there. If not, 409.
    #[must_use]
    pub fn overwrite(mut self, yes: bool) -> Uploads {
        self.overwrite = yes;
        self
    }
}

/// Adds the routes for `PUT` and `POST` below `pattern`.
pub(super) fn mount(_app: &mut App, _pattern: &str, _site: &Arc<Site>, _uploads: &Uploads) {
    log::error!("uploads are not built yet");
}
