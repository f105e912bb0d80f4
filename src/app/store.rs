//! Content for a store that can say no politely: what uploads are made of.
//!
//! ```text
//!            write, write ..          save
//!   Takes ------------------------> what the reply is made of
//!     | an error: the store is dropped, now
//!     v
//!   Refuses: read on, thrown away -> the refusal, where the client can read it
//!     | more than PATIENCE
//!     v
//!   cut
//! ```

use super::guard::{Panicked, guard};
use super::{Reject, Reply, receive};
use crate::http::{Intake, Refusal, Request, Sink, Status};
use rustix::io::Errno;
use std::any::Any;
use std::io;

/// Takes content, and saves it in the end. Dropped before, it has saved nothing.
/// All of it happens on helper threads.
pub(crate) trait Store: Send + 'static {
    /// What came of it.
    type Saved: Any + Send;

    /// Takes the next bytes.
    ///
    /// # Errors
    /// As for [`Sink::write`].
    fn write(&mut self, chunk: &[u8]) -> io::Result<()>;

    /// All is in.
    ///
    /// # Errors
    /// As for [`Sink::finish`].
    fn save(&mut self, request: &mut Request) -> io::Result<Self::Saved>;
}

/// A store as a sink.
///
/// A browser shows no reply that comes while it is still sending: it sees a
/// connection that was cut. So content that is refused is read on for a while
/// and thrown away; only what goes on for longer is cut.
enum Patient<S> {
    Takes(S),
    Refuses { refusal: Refusal, left: usize },
}

/// How many bytes are read on after a refusal: some seconds of a usual uplink.
const PATIENCE: usize = 16 << 20;

/// Takes the request's content, `max` bytes at most, into the store; then answers.
pub(crate) fn take<S: Store>(
    max: u64,
    store: S,
    answer: impl FnOnce(&mut Request, S::Saved) -> Reply + Send + 'static,
) -> Reply {
    let sink = Box::new(Patient::Takes(store));
    receive(Intake::Blocking { sink, max }, move |request: &mut Request| {
        match request.remove_extension::<Result<S::Saved, Refusal>>() {
            Some(Ok(saved)) => answer(request, saved),
            Some(Err(refusal)) => Reject::from(refusal).into(),
            // Not after `finish`.
            None => Status::INTERNAL_SERVER_ERROR.into(),
        }
    })
}

impl<S: Store> Sink for Patient<S> {
    fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        match self {
            Patient::Takes(store) => {
                if let Err(error) = store.write(chunk) {
                    // What the store had is dropped, and with it removed, now.
                    *self = Patient::Refuses { refusal: explain(&error), left: PATIENCE };
                }
                Ok(())
            }
            Patient::Refuses { refusal, left } => match left.checked_sub(chunk.len()) {
                Some(rest) => {
                    *left = rest;
                    Ok(())
                }
                None => Err(refusal.clone().into()),
            },
        }
    }

    fn finish(&mut self, request: &mut Request) -> io::Result<()> {
        let result = match self {
            // There may be code of the application in it.
            Patient::Takes(store) => match guard(|| store.save(request)) {
                Ok(saved) => saved.map_err(|error| explain(&error)),
                Err(Panicked(why)) => {
                    log::error!("panic where content of {} was saved: {why}", request.path());
                    return Err(Refusal::new(Status::INTERNAL_SERVER_ERROR, "").into());
                }
            },
            Patient::Refuses { refusal, .. } => Err(refusal.clone()),
        };
        request.extend(result);
        Ok(())
    }
}

/// What the client is told of an error: there are those that aren't our fault.
pub(crate) fn explain(error: &io::Error) -> Refusal {
    let (status, why) = match error.kind() {
        io::ErrorKind::AlreadyExists => (Status::CONFLICT, "there is such a file already"),
        io::ErrorKind::IsADirectory => (Status::CONFLICT, "there is a folder of that name"),
        io::ErrorKind::InvalidFilename => (Status::BAD_REQUEST, "the file's name is not possible"),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            log::warn!("an upload was refused: {error}");
            (Status::FORBIDDEN, "files can't be saved here")
        }
        _ if is_want(error) => {
            log::error!("an upload was refused: {error}");
            (Status::SERVICE_UNAVAILABLE, "")
        }
        _ => return Refusal::of(error),
    };
    Refusal::new(status, why)
}

/// Whether it is for want of descriptors or memory: later it may work.
fn is_want(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM))
}
