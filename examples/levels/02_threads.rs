//! # Level 02: a thread for each client
//!
//! **The problem of level 01:** one client held up all others.
//!
//! **The idea:** let each wait in a thread of its own. The code that serves a client
//! is that of level 01 to the letter; only who runs it has changed. That is the
//! great charm of threads: each client's story is told from its beginning to its
//! end, and the kernel's scheduler does the rest.
//!
//! ```text
//!   accept --> thread: read --> write --> read --> ... gone
//!     |------> thread: read ...
//!     '------> thread: (slowloris) read ......................
//! ```
//!
//! ## Try it
//! ```text
//! cargo run --release --example ladder -- 2 --port 8080
//! nc 127.0.0.1 8080        leave it open: curl doesn't mind any more
//! curl http://127.0.0.1:8080/files/slow.txt & curl http://127.0.0.1:8080/hello
//! grep Threads /proc/$(pgrep -n ladder)/status
//! ```
//!
//! ## What it gets wrong
//! A client costs a thread, and strangers decide how many there are. Each thread has
//! a stack (some 10 to 20 KiB that are really used, of 2 MiB that are reserved), a
//! place in the kernel's tables, and a turn at the scheduler. The ladder shows: the
//! **threads and the memory grow with the connections**, thousands of threads for
//! thousands of clients; of a crowd that comes at once, many still wait for theirs when
//! it is over. Where the system allows fewer threads than there are clients, those
//! beyond are turned away; and slow clients, who do nothing, keep theirs for ever.

use crate::level01;
use crate::site::Site;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

pub(crate) fn run(site: &Site) -> io::Result<()> {
    let listener = TcpListener::bind(site.address)?;
    site.announce(listener.local_addr()?, &listener)?;
    let site = Arc::new(site.clone());
    loop {
        let stream = level01::accept(&listener);
        let site = Arc::clone(&site);
        // `thread::spawn` would panic where there can be no more threads, and the
        // server with it. Like this the client is turned away: the closure is dropped
        // and its stream with it.
        let spawned = thread::Builder::new().spawn(move || {
            // An error means that the client is gone, and with it this thread.
            let _ = level01::serve(stream, &site);
        });
        if let Err(error) = spawned {
            eprintln!("no thread for a client: {error}");
        }
    }
}
