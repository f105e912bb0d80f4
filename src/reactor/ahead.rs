//! How far the kernel may run ahead of a client that takes a long file.
//!
//! A socket is made so that little of what it was given lies unsent in the
//! kernel (`tcp_notsent_lowat` in `net/options.rs`): a slow reader's progress is then
//! seen in small steps. For a fast one the small steps are what a download costs
//! beyond copying: the loop is woken for each. So whoever takes a long file fast
//! is allowed more, and less again when it gets slower or the file ends.
//!
//! ```text
//!   4 MiB of a long file taken:  in <= 100 ms -> FAR     slower -> as before
//! ```

use super::clock::Tick;
use crate::net::Socket;
use std::time::Duration;

/// Bytes after which a client's speed is judged; and what must be left of the
/// file, or the system calls are not worth it.
const STEP: u64 = 4 << 20;
/// A client that takes a step in this time is fast: 40 MiB a second. To be taken
/// for one that stands still it would have to get a thousand times slower within
/// a step.
const FAST: Duration = Duration::from_millis(100);
/// Bytes that may lie unsent for a fast client: pages of the file itself, which
/// take no memory.
const FAR: u32 = 2 << 20;

/// What is known of the client's speed, and what was changed for it.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    /// What was allowed before, if it is [`FAR`] now.
    former: Option<u32>,
    /// When the step began, and how many bytes had been written then.
    since: Tick,
    written: u64,
}

impl Ahead {
    /// The client has taken so many bytes in all, and there is so much left of
    /// a file.
    pub(crate) fn look<K: Socket>(&mut self, socket: &mut K, written: u64, left: u64, now: Tick) {
        if left < STEP || written.saturating_sub(self.written) < STEP {
            return;
        }
        let is_fast = now.since(self.since) <= FAST;
        (self.since, self.written) = (now, written);
        if !is_fast {
            self.near(socket);
        } else if self.former.is_none() {
            self.former = socket.set_ahead(FAR);
        }
    }

    /// As before, for what comes after the file.
    pub(crate) fn end<K: Socket>(&mut self, socket: &mut K) {
        self.near(socket);
        *self = Ahead::default();
    }

    fn near<K: Socket>(&mut self, socket: &mut K) {
        if let Some(former) = self.former.take() {
            socket.set_ahead(former);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{self, IoSlice};
    use std::os::fd::OwnedFd;

    /// Only remembers what it was told.
    struct Told(Vec<u32>);

    impl Socket for Told {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Ok(0)
        }
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }
        fn write_vectored(&mut self, _: &[IoSlice<'_>]) -> io::Result<usize> {
            Ok(0)
        }
        fn send_file(&mut self, _: &File, _: u64, len: usize) -> io::Result<usize> {
            Ok(len)
        }
        fn set_ahead(&mut self, bytes: u32) -> Option<u32> {
            let former = self.0.last().copied().unwrap_or(7);
            self.0.push(bytes);
            Some(former)
        }
        fn shutdown_write(&mut self) -> io::Result<()> {
            Ok(())
        }
        fn into_fd(self) -> Option<OwnedFd> {
            None
        }
    }

    #[test]
    fn only_who_takes_a_long_file_fast_is_allowed_more() {
        let at = |millis: u64| Tick::from_micros(1_000_000 + millis * 1000);
        let (mut ahead, mut socket) = (Ahead::default(), Told(Vec::new()));
        // The first step began nowhere; in the second it is too early to say.
        ahead.look(&mut socket, STEP, 9 * STEP, at(0));
        ahead.look(&mut socket, STEP + 9, 9 * STEP, at(1));
        assert!(socket.0.is_empty());
        ahead.look(&mut socket, 2 * STEP, 8 * STEP, at(90));
        ahead.look(&mut socket, 3 * STEP, 7 * STEP, at(180));
        assert_eq!(socket.0, [FAR]);
        // It gets slower, fast again, and near the end nothing is changed.
        ahead.look(&mut socket, 4 * STEP, 6 * STEP, at(500));
        assert_eq!(socket.0, [FAR, 7]);
        ahead.look(&mut socket, 5 * STEP, 5 * STEP, at(510));
        ahead.look(&mut socket, 9 * STEP, STEP - 1, at(9999));
        assert_eq!(socket.0, [FAR, 7, FAR]);
        ahead.end(&mut socket);
        ahead.end(&mut socket);
        assert_eq!(socket.0, [FAR, 7, FAR, 7]);
    }
}
