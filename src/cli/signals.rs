//! SIGTERM and SIGINT: the first asks the server to drain, the second to stop.
//! SIGHUP asks it to read its settings again, SIGUSR1 to say how it is.
//!
//! A thread of its own waits for signals and calls a closure, which posts to
//! the loop's inbox. The loop needs no descriptor for it, and an embedded
//! server is free of signal handling altogether.
//!
//! SIGXFSZ comes where a limit of file sizes is set (`ulimit -f`) and an upload
//! or a log would exceed it. It would end the process; when somebody watches for
//! it, the writing fails instead.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXFSZ};
use signal_hook::iterator::{Handle, Signals};
use std::io::IsTerminal;
use std::thread;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Finish what was begun, then return.
    Drain,
    /// Return now.
    Stop,
    /// Read settings again, open logs anew.
    Reload,
    /// Write your state to the log.
    Report,
}

/// Signals are watched until this is dropped.
pub(crate) struct Watch {
    handle: Handle,
}

/// Watches for signals; `tell` is called on the watching thread. A third signal to
/// end ends the process there and then, in case the loop is stuck.
///
/// A terminal that is closed sends SIGHUP as well, and to who was started in it
/// that means to end.
///
/// # Errors
/// If the handlers or the thread can't be had.
pub(crate) fn watch(mut tell: impl FnMut(Ask) + Send + 'static) -> std::io::Result<Watch> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGXFSZ])?;
    let handle = signals.handle();
    let had_terminal = std::io::stdin().is_terminal();
    thread::Builder::new().name("onepoll-signals".to_owned()).spawn(move || {
        let mut ends = 0;
        for signal in signals.forever() {
            let lost_terminal = || had_terminal && !std::io::stdin().is_terminal();
            match signal {
                SIGXFSZ => continue,
                SIGUSR1 => tell(Ask::Report),
                SIGHUP if !lost_terminal() => tell(Ask::Reload),
                _ => {
                    ends += 1;
                    match ends {
                        1 => tell(Ask::Drain),
                        2 => tell(Ask::Stop),
                        // As a shell reports a process that a signal has ended.
                        _ => std::process::exit(128 + signal),
                    }
                }
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
        signal_hook::low_level::raise(SIGUSR1).unwrap();
        assert_eq!(next(), Ok(Ask::Report));
        signal_hook::low_level::raise(SIGTERM).unwrap();
        assert_eq!(next(), Ok(Ask::Drain));
        signal_hook::low_level::raise(SIGHUP).unwrap();
        assert_eq!(next(), Ok(Ask::Reload));
        signal_hook::low_level::raise(SIGINT).unwrap();
        assert_eq!(next(), Ok(Ask::Stop));
        drop(watch);
        // The thread ends, and its closure with it.
        assert_eq!(next(), Err(mpsc::RecvTimeoutError::Disconnected));
    }
}
