//! What is set on listening sockets, and inherited by the accepted ones.

use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

/// Settings of listeners, each with its default. TCP alone has those with `tcp`
/// in their name, and `probes`.
///
/// ```
/// use onepoll::Server;
/// use onepoll::net::SocketOptions;
/// let options = SocketOptions { backlog: 128, ..SocketOptions::default() };
/// let server = Server::bind("127.0.0.1:0")?.sockets(&options)?;
/// # Ok::<(), onepoll::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// Clients that may wait in the kernel's queue: 4,096. The kernel caps it at
    /// `net.core.somaxconn`, the same by default. A short queue drops connection
    /// attempts in a burst, and each costs its client a second.
    pub backlog: u32,
    /// `TCP_NODELAY`: yes. Replies are written whole, and waiting to join them with
    /// later ones only delays: up to 40 ms, when the client delays its
    /// acknowledgements.
    pub tcp_nodelay: bool,
    /// When a silent client is probed: after 60 s, then four times, every 15 s. So
    /// one that is gone without a word (its machine lost power) is noticed even
    /// where nothing is sent to it and nothing is expected of it, as while a stream
    /// is pending: after two minutes.
    pub probes: Option<Probes>,
    /// `TCP_USER_TIMEOUT`, how long what was sent may be without acknowledgement
    /// until the kernel gives up: none, and so the kernel's own, some 15 minutes.
    /// `Config::write_timeout` judges slow clients sooner and by their rate; this is
    /// for networks that lose their clients often. It overrules the probes' count.
    pub tcp_user_timeout: Option<Duration>,
    /// `TCP_NOTSENT_LOWAT`, bytes of ours that the kernel holds back before it says
    /// that a socket is writable again: 128 KiB. Without it a slow reader's progress
    /// is only seen in steps of the send buffer, megabytes at a time, and looks
    /// stalled between them. Linux only.
    pub tcp_notsent_lowat: Option<u32>,
    /// `SO_REUSEPORT`, whether other processes of the same user may listen on the same
    /// addresses if they say so, too: no. The system spreads clients over all of them,
    /// each with a queue of its own. Who ends loses the clients that wait in its queue,
    /// so this is no way to restart. TCP only.
    pub reuse_port: bool,
    /// The permissions of a Unix socket's file: as the process's umask leaves them.
    /// Who may write may connect: 0o660 for the group, 0o666 for everybody.
    pub unix_mode: Option<u32>,
}

/// When a client that says nothing is asked whether it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probes {
    /// After how much silence.
    pub after: Duration,
    /// The time between two probes.
    pub every: Duration,
    /// How many without an answer end the connection.
    pub count: u32,
}

impl Default for SocketOptions {
    fn default() -> SocketOptions {
        SocketOptions {
            backlog: 4096,
            tcp_nodelay: true,
            probes: Some(Probes {
                after: Duration::from_secs(60),
                every: Duration::from_secs(15),
                count: 4,
            }),
            tcp_user_timeout: None,
            tcp_notsent_lowat: Some(128 * 1024),
            reuse_port: false,
            unix_mode: None,
        }
    }
}

impl SocketOptions {
    /// Sets what TCP has on a listening socket, or one that will be.
    pub(super) fn set_tcp(&self, socket: &impl AsFd) -> io::Result<()> {
        let socket = SockRef::from(socket);
        socket.set_tcp_nodelay(self.tcp_nodelay)?;
        match self.probes {
            Some(Probes { after, every, count }) => {
                let probes = TcpKeepalive::new().with_time(after).with_interval(every);
                socket.set_tcp_keepalive(&probes.with_retries(count))?;
            }
            None => socket.set_keepalive(false)?,
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            socket.set_tcp_user_timeout(self.tcp_user_timeout)?;
            // The kernel takes the largest number for "no limit".
            socket.set_tcp_notsent_lowat(self.tcp_notsent_lowat.unwrap_or(u32::MAX))?;
        }
        Ok(())
    }

    /// Lets clients come, or changes how many may wait.
    pub(super) fn listen(&self, socket: &impl AsFd) -> io::Result<()> {
        let backlog = i32::try_from(self.backlog).unwrap_or(i32::MAX);
        SockRef::from(socket).listen(backlog)
    }
}
