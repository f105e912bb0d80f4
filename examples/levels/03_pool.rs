//! # Level 03: a fixed number of threads
//!
//! **The problem of level 02:** strangers decide how many threads there are.
//!
//! **The idea:** we decide. Sixteen threads are started at the beginning; clients wait
//! in a queue until one of them is free.
//!
//! ```text
//!                         .--> thread 1: read --> write --> ... gone, next
//!   accept --> [ queue ] -+--> thread 2
//!                         '--> thread 16
//! ```
//!
//! Memory is bounded now, whatever comes, and no thread has to be made for a client.
//! The queue is bounded as well: when it is full the accepting thread waits, and those
//! who come then wait in the kernel.
//!
//! ## Try it
//! ```text
//! cargo run --release --example ladder -- 3 --port 8080
//! for i in $(seq 16); do nc 127.0.0.1 8080 & done      sixteen who say nothing
//! curl -m 2 http://127.0.0.1:8080/hello                no reply
//! ```
//!
//! ## What it gets wrong
//! A thread is still bound to a client for as long as the client likes, busy or not;
//! and most are not, most of the time: browsers keep connections open for minutes.
//! So the **seventeenth connection waits until another leaves**. The ladder shows: up
//! to ten connections it does as well as level 02, with a hundred most get no reply
//! ever. Sixteen slowloris would be the end of it. More threads only move the border
//! (that is level 02 again): the fault is that *waiting* costs a thread.

use crate::level01;
use crate::site::Site;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Threads that serve. More than there are CPUs, as most of them wait.
const THREADS: usize = 16;
/// Clients that were accepted and wait for a thread: a descriptor each.
const QUEUE_MAX: usize = 128;

pub(crate) fn run(site: &Site) -> io::Result<()> {
    let listener = TcpListener::bind(site.address)?;
    site.announce(listener.local_addr()?, &listener)?;
    let (queue, clients) = sync_channel(QUEUE_MAX);
    let clients = Arc::new(Mutex::new(clients));
    for _ in 0..THREADS {
        let (clients, site) = (Arc::clone(&clients), site.clone());
        thread::Builder::new().spawn(move || work(&clients, &site))?;
    }
    loop {
        // Blocks while the queue is full.
        if queue.send(level01::accept(&listener)).is_err() {
            return Err(io::Error::other("all threads have ended"));
        }
    }
}

fn work(clients: &Mutex<Receiver<TcpStream>>, site: &Site) {
    loop {
        // The lock is held while waiting: the others wait for the lock instead, which
        // is as good. It is given back at the end of this statement, before the client
        // is served. A thread that panicked with it left nothing half done.
        let client = clients.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(stream) = client else { return };
        let _ = level01::serve(stream, site);
    }
}
