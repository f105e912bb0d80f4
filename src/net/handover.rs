//! Listening sockets on their way to another process, by `SCM_RIGHTS`.
//!
//! A server that restarts must not close its listeners: whoever waits in a queue
//! would be reset. So the old process sends *the same* sockets to the new one over
//! a Unix socket, and both may accept from the one queue until the old one stops:
//!
//! ```text
//!   old --> "onepoll listeners 1 3 tuo" + descriptors --> new
//!            what it is, version, how many,
//!            one letter each: t TCP, u Unix with its file, o other
//! ```
//!
//! The file of a Unix socket goes along: the one who received it removes it in the
//! end. The sender calls this when it is sure that the other will serve.

use super::Listener;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Sockets in one message: Linux takes 253 at most, and who listens at more than
/// these addresses has other troubles.
pub const LISTENERS_MAX: usize = 64;

/// What the message begins with, with its version.
const START: &str = "onepoll listeners 1 ";

/// Sends the listeners, in their order. They go on listening here as well; their
/// files are the receiver's from now on.
///
/// # Errors
/// As the system says; `InvalidInput` for none, or more than [`LISTENERS_MAX`].
pub fn send<'l>(
    to: impl AsFd,
    listeners: impl IntoIterator<Item = &'l Listener>,
) -> io::Result<()> {
    let listeners: Vec<&Listener> = listeners.into_iter().collect();
    lend(to, listeners.iter().copied())?;
    listeners.iter().for_each(|listener| listener.keep_file(false));
    Ok(())
}

/// As [`send`], but the files stay ours, for a receiver that may yet fail: it and we
/// say [`Listener::keep_file`] when it serves.
///
/// # Errors
/// As [`send`].
pub fn lend<'l>(
    to: impl AsFd,
    listeners: impl IntoIterator<Item = &'l Listener>,
) -> io::Result<()> {
    let listeners: Vec<&Listener> = listeners.into_iter().collect();
    if listeners.is_empty() || listeners.len() > LISTENERS_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "1 to 64 listeners can be sent"));
    }
    let mut text = format!("{START}{} ", listeners.len());
    text.extend(listeners.iter().map(|listener| match listener.local_addr() {
        Ok(_) => 't',
        Err(_) if listener.has_file() => 'u',
        Err(_) => 'o',
    }));
    let descriptors: Vec<BorrowedFd<'_>> = listeners.iter().map(|it| it.as_fd()).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(LISTENERS_MAX))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::Error::other("no room for the descriptors"));
    }
    let bytes = [IoSlice::new(text.as_bytes())];
    let sent = sendmsg(to, &bytes, &mut ancillary, SendFlags::NOSIGNAL)?;
    if sent != text.len() {
        return Err(io::ErrorKind::WriteZero.into());
    }
    Ok(())
}

/// Receives what [`send`] sent, waiting as long as the socket does.
///
/// # Errors
/// As the system says; `InvalidData` if it is anything else, or from a version
/// that is not understood; `UnexpectedEof` if the other left instead. Whatever
/// came is closed then.
pub fn receive(from: impl AsFd) -> io::Result<Vec<Listener>> {
    let mut text = [0; 128];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(LISTENERS_MAX))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut vector = [IoSliceMut::new(&mut text)];
    let message = recvmsg(from, &mut vector, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let mut sockets: Vec<OwnedFd> = Vec::new();
    for part in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = part {
            sockets.extend(descriptors);
        }
    }
    if message.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "no listeners of onepoll");
    let kinds = kinds(text.get(..message.bytes).unwrap_or(&[])).ok_or_else(wrong)?;
    let cut = ReturnFlags::CTRUNC.union(ReturnFlags::TRUNC);
    if message.flags.intersects(cut) || kinds.len() != sockets.len() {
        return Err(wrong());
    }
    let taken = sockets.into_iter().zip(kinds).map(|(socket, kind)| {
        let mut listener = Listener::inherit(socket)?;
        if *kind == b'u' {
            listener.own_file()?;
        }
        Ok(listener)
    });
    taken.collect()
}

/// The letters of the message, if it is one.
fn kinds(text: &[u8]) -> Option<&[u8]> {
    let text = std::str::from_utf8(text).ok()?;
    let (count, kinds) = text.strip_prefix(START)?.split_once(' ')?;
    let sound = kinds.len() == count.parse::<usize>().ok()?
        && kinds.bytes().all(|kind| matches!(kind, b't' | b'u' | b'o'));
    sound.then_some(kinds.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::SocketOptions;
    use std::os::unix::net::UnixStream;

    #[test]
    fn listeners_arrive_with_their_queues_and_files() {
        let path = std::env::temp_dir().join(format!("onepoll-{}-sent", std::process::id()));
        let old = vec![
            Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap(),
            Listener::unix(&path, &SocketOptions::default()).unwrap(),
        ];
        let address = old[0].local_addr().unwrap();
        // Whoever waits already is not lost.
        let _client = std::net::TcpStream::connect(address).unwrap();
        let (here, there) = UnixStream::pair().unwrap();
        send(&here, &old).unwrap();
        let new = receive(&there).unwrap();
        drop(old);
        assert!(path.exists(), "it is the new one's");
        assert_eq!(new[0].local_addr().unwrap(), address);
        assert!(new[0].accept().is_ok());
        let _client = UnixStream::connect(&path).unwrap();
        assert!(new[1].accept().is_ok());
        drop(new);
        assert!(!path.exists());
    }

    #[test]
    fn anything_else_is_refused() {
        use std::io::Write;
        let (mut here, there) = UnixStream::pair().unwrap();
        assert_eq!(send(&here, &[]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        for text in [
            "hello",
            "onepoll listeners 2 1 t",
            "onepoll listeners 1 1 t",
            "onepoll listeners 1 2 t",
            "onepoll listeners 1 x ",
            "onepoll listeners 1 1 x",
        ] {
            here.write_all(text.as_bytes()).unwrap();
            assert_eq!(receive(&there).unwrap_err().kind(), io::ErrorKind::InvalidData, "{text}");
        }
        drop(here);
        assert_eq!(receive(&there).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
