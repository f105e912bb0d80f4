//! Sockets that whoever started this process has given to it.
//!
//! They are known by number: those of `--fd`, and by systemd's convention as many
//! as `LISTEN_FDS` says from 3 on, if `LISTEN_PID` is this process.
//!
//! A number is no descriptor that Rust knows of. To get one without unsafe code of
//! ours, it is sent to ourselves as a number and received as a descriptor; then the
//! number itself is closed, so that the socket is closed when its listener is.

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use onepoll::Error;
use onepoll::net::Listener;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// The first number of `LISTEN_FDS`: behind the three that every process has.
const FIRST: u16 = 3;
/// More would be a mistake.
const FDS_MAX: u16 = 64;

/// Listeners for these numbers, and for those of the environment. To be called
/// before anything is opened.
///
/// # Errors
/// [`Error::Listen`], naming the number, for what can't be listened on;
/// [`Error::Config`] for a variable that is no number.
pub(super) fn listeners(numbers: &[u16]) -> Result<Vec<Listener>, Error> {
    let mut all: Vec<u16> = of_environment()?;
    for &number in numbers {
        if !all.contains(&number) {
            all.push(number);
        }
    }
    let failed = |number, source| Error::Listen { address: format!("descriptor {number}"), source };
    // All of them, before this opens anything that gets one of the numbers.
    for &number in &all {
        is_given(number).map_err(|error| failed(number, error))?;
    }
    let listener = |number| take(number).map_err(|error| failed(number, error));
    all.into_iter().map(listener).collect()
}

fn of_environment() -> Result<Vec<u16>, Error> {
    let ours = std::process::id().to_string();
    let Ok(count) = std::env::var("LISTEN_FDS") else { return Ok(Vec::new()) };
    // For another process, which has passed its environment on.
    if std::env::var("LISTEN_PID") != Ok(ours) {
        return Ok(Vec::new());
    }
    match count.parse::<u16>() {
        Ok(count) if count <= FDS_MAX => Ok((FIRST..FIRST + count).collect()),
        _ => {
            let why = format!("must be a number up to {FDS_MAX}, not `{}`", count.escape_debug());
            Err(Error::Config { field: "LISTEN_FDS", why })
        }
    }
}

/// Whether whoever started us has given it.
fn is_given(number: u16) -> io::Result<()> {
    let wrong = |why| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    if matches!(number, 1 | 2) {
        return wrong("it is an output of this program");
    }
    match std::fs::symlink_metadata(format!("/dev/fd/{number}")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            wrong("it is not open: whoever starts this program must pass it on")
        }
        _ => Ok(()),
    }
}

/// The listener of that number, which is nobody's then.
fn take(number: u16) -> io::Result<Listener> {
    // What is no listener may be a file of ours: that must not be closed.
    let listener = Listener::inherit(owned(number)?)?;
    match number {
        // The next file that is opened would become the standard input.
        0 => rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?,
        _ => nix::unistd::close(i32::from(number))?,
    }
    Ok(listener)
}

/// One more descriptor of the same, that is owned.
fn owned(number: u16) -> io::Result<OwnedFd> {
    let (to, from) = UnixStream::pair()?;
    let raw = [i32::from(number)];
    let bytes = [IoSlice::new(b"x")];
    let rights = [ControlMessage::ScmRights(&raw)];
    sendmsg::<()>(to.as_raw_fd(), &bytes, &rights, MsgFlags::empty(), None)?;
    let mut byte = [0; 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut vector = [IoSliceMut::new(&mut byte)];
    recvmsg(&from, &mut vector, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let received = ancillary.drain().find_map(|part| match part {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    received.ok_or_else(|| io::Error::other("it got lost on its way"))
}
