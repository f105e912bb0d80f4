//! TLS: the same byte stream, such that nobody between can read or change it.
//!
//! `rustls` knows the protocol and does no I/O; here its session stands between
//! the socket and the loop, which sees a [`Socket`](super::Socket) as any other.
//!
//! # Theory of operation
//!
//! ```text
//!            TCP                         Secure                          loop
//!   read ------------> scratch --> session: records, decrypted -----> read's buffer
//!                                    '- what has no room is kept -----> the next read
//!   write <----------- session: records, encrypted <--- at most CHUNK --- write
//!                        '- what TCP didn't take stays: `owed` of the caller's bytes
//! ```
//!
//! The loop is edge-triggered, and believes four things of a socket. A session
//! holds bytes of its own in both directions, so that none of them comes for
//! free:
//!
//! 1. *`WouldBlock` from a read means that an edge will come.* So it is only said
//!    when TCP has said it. A read that brought a part of a record, or no data at
//!    all (a key update), reads again.
//! 2. *A read that fills less than it could has drained the socket.* It has not,
//!    if plaintext is kept, if TCP had more than was asked for, or if the peer's
//!    end is known and was not told yet. Then [`holds_input`] is true, and the
//!    loop reads on without an edge. At most as much is read from TCP as the
//!    caller has room for, so that what is kept is one record.
//! 3. *`WouldBlock` from a write means that an edge will come.* It is only said
//!    while ciphertext is left that TCP didn't take.
//! 4. *What was counted as written has been taken.* A session takes bytes before
//!    TCP does, and can't give them back. So what it took counts as `owed`, and
//!    is counted as written while its ciphertext leaves, the last byte when all
//!    has left. The caller offers the same bytes until then; they are not looked
//!    at again. Thus deadlines, progress and half-closes hold for the network and
//!    not for a buffer; and nothing new is encrypted before the old is out, so
//!    that a connection holds one `CHUNK` of ciphertext at most. The loop
//!    charges it to the account of buffers.
//!
//! One call encrypts a `CHUNK` at most, or decrypts what one read brought: some
//! ten microseconds. The loop's own shares per turn do the rest, as without TLS;
//! and handshakes, which take much longer, have a share of their own.
//!
//! **Files.** `sendfile` can't encrypt. What is in memory is read with
//! `RWF_NOWAIT` into a scratch buffer and written from there; where memory ends
//! the read is short, and the loop asks about the next slice as usual, so that a
//! helper fetches it.
//!
//! **The end.** We half-close with `close_notify` and then TCP's own FIN (RFC
//! 8446 section 6.1), and a reply that was cut has no `close_notify`: so its
//! client knows. A client that leaves without one (many do) is taken as having
//! left: whether a request is whole is known from its framing, never from the
//! end of the stream, so that truncation can't pass for a whole message (RFC 9112
//! section 9.8). Once we have half-closed, what comes is thrown away unread, and
//! the session's memory is given back.
//!
//! **Plain HTTP** on this port begins with a letter, a handshake with the byte
//! 22. It is answered in plain text.
//!
//! **ALPN.** `http/1.1` and `http/1.0` are spoken. A client that offers others
//! only is refused with an alert (RFC 7301 section 3.2); one that offers none is
//! served.
//!
//! **Sessions** are resumed with tickets, whose keys live for some hours in
//! memory; and, for clients of TLS 1.2 without tickets, from a cache of
//! `SESSIONS` entries. There is no early data, as it can be replayed.
//!
//! [`holds_input`]: super::Socket::holds_input

mod certificates;
mod files;
mod secure;
#[cfg(feature = "tls-self-signed")]
mod self_signed;
mod settings;
mod stream;
mod watch;

pub use certificates::ClientCertificates;
pub use files::TlsFiles;
pub use settings::Tls;
pub use stream::TlsStream;
pub use watch::TlsWatch;

pub(super) use settings::Current;

/// For those who configure a session themselves: [`Tls::of`].
pub use rustls;

use rustls::crypto::CryptoProvider;
use std::cell::RefCell;

/// Bytes encrypted at once: four records of the largest size. More in one call
/// saves little, and each slow reader may hold as much.
pub(crate) const CHUNK: usize = 64 * 1024;
/// Sessions of TLS 1.2 that are remembered, less than a KiB each, unless clients
/// show certificates, which are remembered with them.
pub(crate) const SESSIONS: usize = 4096;

thread_local! {
    /// For ciphertext that comes in, and files that go out: one for each loop,
    /// which is a thread.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Calls with `CHUNK` bytes that nobody else uses meanwhile.
fn with_scratch<T>(what: impl FnOnce(&mut [u8]) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| {
        if scratch.is_empty() {
            scratch.resize(CHUNK, 0);
        }
        what(scratch)
    })
}

/// Who does the arithmetic.
fn provider() -> CryptoProvider {
    #[cfg(feature = "tls-aws-lc")]
    return rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "tls-aws-lc"))]
    return rustls::crypto::ring::default_provider();
}
