//! # Level 01: one client after the other
//!
//! A server as one would write it on the first day: take a client, read its request,
//! write the reply, and when the client has gone take the next. Each call **blocks**:
//! the thread sleeps until the kernel has something for it.
//!
//! ```text
//!   accept --> read --> write --> read --> write --> ... gone
//!     ^                                               |
//!     '-----------------------------------------------'
//! ```
//!
//! It is right, it is short, and with one client it is as fast as any server here:
//! nothing is quicker than a thread that waits for just the bytes that it needs.
//!
//! ## Try it
//! ```text
//! cargo run --release --example ladder -- 1 --port 8080
//! curl http://127.0.0.1:8080/hello
//! nc 127.0.0.1 8080        leave it open, and curl once more from elsewhere
//! ```
//!
//! ## What it gets wrong
//! While one client is there, all others wait, even if that one says nothing at all.
//! The ladder shows: with ten connections nine get no reply, and **one slowloris** (a
//! client that sends a byte now and then, and never a whole request) that comes first
//! brings the throughput to zero for everybody.

use crate::site::{self, Page, Site};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// After `accept` failed, for want of descriptors probably, it would fail again at
/// once: without a pause the server would only burn the CPU.
const PAUSE: Duration = Duration::from_millis(10);

pub(crate) fn run(site: &Site) -> io::Result<()> {
    let listener = TcpListener::bind(site.address)?;
    site.announce(listener.local_addr()?, &listener)?;
    loop {
        let stream = accept(&listener);
        // An error means that this client is gone: no reason to go as well.
        let _ = serve(stream, site);
    }
}

/// The next client; sleeps until there is one.
pub(crate) fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept() {
            Ok((stream, _)) => return stream,
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// Serves one client until it leaves.
pub(crate) fn serve(mut stream: TcpStream, site: &Site) -> io::Result<()> {
    // A reply is one write; there is nothing that the kernel should wait for to make
    // fuller packets (Nagle's algorithm).
    stream.set_nodelay(true)?;
    let mut input = Vec::new();
    loop {
        let Some(head) = read_head(&mut stream, &mut input)? else { return Ok(()) };
        let (reply, last) = match site::parse(&head) {
            Err(reply) => (reply, true),
            Ok(request) => {
                let last = request.last;
                let reply = match site::page(request) {
                    Page::Ready(reply) => reply,
                    // Here the thread waits for the disk. Nobody else minds: nobody
                    // else is served anyway.
                    Page::Slow(task) => site::perform(&site.root, &task),
                };
                (reply, last)
            }
        };
        stream.write_all(&reply.bytes(last))?;
        if last {
            return Ok(());
        }
    }
}

/// The next head; `None` when the client has left. What was read beyond it stays in
/// `input`: TCP is a stream of bytes and knows nothing of requests. One `read` may
/// bring half a head, or three.
fn read_head(stream: &mut TcpStream, input: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = site::head_end(input) {
            return Ok(Some(input.drain(..end).collect()));
        }
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(count) => input.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
