//! Servers of a few lines that do what servers shouldn't: a thread for each client,
//! which reads heads and asks a function what to do.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;

/// What a server does with a request.
pub(crate) enum Act {
    /// Writes this and goes on.
    Reply(Vec<u8>),
    /// Writes this and closes.
    Last(Vec<u8>),
    /// Closes so that the client sees a reset.
    Reset,
    /// Keeps the connection and says nothing.
    Silence,
}

/// A reply with this content.
pub(crate) fn ok(content: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{content}", content.len()).into_bytes()
}

/// Serves until the process ends. The function is given the head.
pub(crate) fn serve(act: impl Fn(&str) -> Act + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let act = Arc::new(act);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let act = Arc::clone(&act);
            thread::spawn(move || client(stream, &*act));
        }
    });
    address
}

/// The same on a Unix socket.
pub(crate) fn serve_unix(path: &std::path::Path, act: impl Fn(&str) -> Act + Send + 'static) {
    let listener = UnixListener::bind(path).expect("a socket");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            client(stream, &act);
        }
    });
}

/// How connections are ended.
trait End {
    fn half_close(&self);
    fn reset(&self);
}

impl End for TcpStream {
    fn half_close(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }

    fn reset(&self) {
        let socket = socket2::SockRef::from(self);
        socket.set_linger(Some(std::time::Duration::ZERO)).expect("a socket");
    }
}

impl End for UnixStream {
    fn half_close(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }

    fn reset(&self) {}
}

fn client<S: Read + Write + End>(mut stream: S, act: &dyn Fn(&str) -> Act) {
    let (mut input, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        while let Some(end) = input.windows(4).position(|it| it == b"\r\n\r\n") {
            let head: Vec<u8> = input.drain(..end + 4).collect();
            let head = String::from_utf8(head).expect("our own requests");
            match act(&head) {
                Act::Reply(bytes) => {
                    if stream.write_all(&bytes).is_err() {
                        return;
                    }
                }
                Act::Last(bytes) => {
                    let _ = stream.write_all(&bytes);
                    stream.half_close();
                    // What is unread when it is closed would make it a reset.
                    while stream.read(&mut buffer).is_ok_and(|count| count > 0) {}
                    return;
                }
                Act::Reset => return stream.reset(),
                Act::Silence => {}
            }
        }
        match stream.read(&mut buffer) {
            Ok(count @ 1..) => input.extend_from_slice(&buffer[..count]),
            _ => return,
        }
    }
}
