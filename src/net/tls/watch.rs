//! Certificates that are replaced on the disk, noticed.

use super::settings::Tls;
use crate::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, park_timeout};
use std::time::{Duration, Instant};

/// Files are watched until this is dropped.
#[derive(Debug)]
pub struct TlsWatch {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Tls {
    /// Looks at the files that often, on a thread of its own, and reloads them
    /// when they have changed and then stayed as they are from one look to the
    /// next: certificate and key are rarely replaced at the same moment. What
    /// makes no sense then is logged, and the old ones stay.
    ///
    /// # Errors
    /// [`Error::Io`] if there is no thread to be had.
    pub fn watch(&self, every: Duration) -> Result<TlsWatch, Error> {
        let over = Arc::new(AtomicBool::new(false));
        let (tls, seen) = (self.clone(), Arc::clone(&over));
        let thread = std::thread::Builder::new()
            .name("onepoll-tls".to_owned())
            .spawn(move || look(&tls, every, &seen))
            .map_err(Error::io("starting a thread to watch certificates"))?;
        Ok(TlsWatch { over, thread: Some(thread) })
    }
}

fn look(tls: &Tls, every: Duration, over: &AtomicBool) {
    let Some(files) = tls.files() else { return };
    // As of the last attempt: one that failed is not made again until there is
    // something new. Another may reload, too.
    let (mut tried, mut before) = (None, tls.stamps());
    while !over.load(Ordering::Acquire) {
        let now = files.stamps();
        let is_new = now != tls.stamps() && tried.as_ref() != Some(&now);
        if is_new && now == before {
            match tls.reload() {
                Ok(()) => log::info!("certificates reloaded"),
                Err(error) => log::error!("{error}; the old certificates stay in use"),
            }
            tried = Some(now.clone());
        }
        before = now;
        let until = Instant::now() + every;
        while !over.load(Ordering::Acquire) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            park_timeout(left);
        }
    }
}

impl Drop for TlsWatch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}
