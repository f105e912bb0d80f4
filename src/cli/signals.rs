//! SIGTERM and SIGINT: the first asks the server to drain, the second to stop.
//!
//! A thread of its own waits for signals and calls a closure, which posts to
//! the loop's inbox. The loop needs no descriptor for it, and an embedded
//! server is free of signal handling altogether.
//!
//! SIGXFSZ comes where a limit of file sizes is set (`ulimit -f`) and an upload
//! or a log would exceed it. It would end the process; when somebody watches for
//! it, the writing fails instead.

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::{Handle, Signals};
use std::thread;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Finish what was begun, then return.
    Drain,
    /// Return now.
    Stop,
}

/// Signals are watched until this is dropped.
pub(crate) struct Watch {
    handle: Handle,
}

/// Watches for SIGTERM and SIGINT; `tell` is called on the watching thread.
/// A third signal ends the process there and then, in case the loop is stuck.
///
/// # Errors
/// If the handlers or the thread can't be had.
pub(crate) fn watch(mut tell: impl FnMut(Ask) + Send + 'static) -> std::io::Result<Watch> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGXFSZ])?;
    let handle = signals.handle();
    thread::Builder::new().name("onepoll-signals".to_owned()).spawn(move || {
        let asks = [Ask::Drain, Ask::Stop].map(Some).into_iter().chain(std::iter::repeat(None));
        let meant = signals.forever().filter(|signal| *signal != SIGXFSZ);
        for (signal, ask) in meant.zip(asks) {
            match ask {
                Some(ask) => tell(ask),
                // As a shell reports a process that a signal has ended.
                None => std::process::exit(128 + signal),
            }
        }
    })?;
    Ok(Watch { handle })
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.handle.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn the_first_signal_drains_and_the_second_stops() {
        let (tell, told) = mpsc::channel();
        let watch = watch(move |ask| tell.send(ask).unwrap()).unwrap();
        let next = || told.recv_timeout(Duration::from_secs(60));
        signal_hook::low_level::raise(SIGTERM).unwrap();
        assert_eq!(next(), Ok(Ask::Drain));
        signal_hook::low_level::raise(SIGINT).unwrap();
        assert_eq!(next(), Ok(Ask::Stop));
        drop(watch);
        // The thread ends, and its closure with it.
        assert_eq!(next(), Err(mpsc::RecvTimeoutError::Disconnected));
    }
}
