//! Response heads and chunk framing.

/// `Server` and `Date`, rendered at most once a second.
#[derive(Clone, Debug)]
pub struct Preamble {
    bytes: Vec<u8>,
}

impl Preamble {
    /// With this `Server` field, if any; no `Date` before the first
    /// [`refresh`](Preamble::refresh).
    pub fn new(server: Option<&str>) -> Preamble {
        let _ = server;
        todo!()
    }

    /// Renders the date anew if the second is another one (Unix time, UTC).
    pub fn refresh(&mut self, wall_secs: u64) {
        let _ = (wall_secs, &self.bytes);
        todo!()
    }
}
