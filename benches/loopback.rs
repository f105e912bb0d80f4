//! Requests a second over the loopback, beside a blocking server of the
//! standard library that parses nothing: a thread per connection, which
//! counts bytes and writes constants.
//!
//! `cargo bench --bench loopback`. Both sides take turns within each round, and
//! what counts is the median of the rounds' ratios: the machine may be busy, but
//! it is as busy for one as for the other. Client and servers share its cores,
//! so the figures say little; the ratios are for seeing a change.

use onepoll::http::{Body, ContentType, Request, Response};
use onepoll::{App, Config, Server};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

const GET: &[u8] = b"GET /plaintext HTTP/1.1\r\nHost: localhost\r\n\r\n";
const CONTENT: &[u8] = b"Hello, World!";
const ROUNDS: usize = 21;
const ROUND: Duration = Duration::from_millis(100);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A connection is to last as long as the bench does.
    let config = Config { requests_per_connection: u32::MAX, ..Config::default() };
    let server = Server::bind("127.0.0.1:0")?.config(config).spawn(|| {
        let mut app = App::new();
        app.get("/plaintext", |_: &mut Request| {
            Response::default().content(ContentType::TEXT, Body::Static(CONTENT))
        });
        app
    })?;
    let plain = blocking()?;
    println!("{:<28}{:>10}{:>10}{:>8}", "", "onepoll", "blocking", "ratio");
    for (connections, depth) in [(1, 1), (32, 1), (32, 16)] {
        let mut ours = Clients::new(server.local_addr(), connections, depth)?;
        let mut theirs = Clients::new(plain, connections, depth)?;
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            rounds.push((ours.rate()?, theirs.rate()?));
        }
        let ratio = median(rounds.iter().map(|(ours, theirs)| ours / theirs));
        let (ours, theirs) =
            (median(rounds.iter().map(|r| r.0)), median(rounds.iter().map(|r| r.1)));
        let name = format!("{connections} connections, {depth} at once");
        println!("{name:<28}{ours:>8.0}/s{theirs:>8.0}/s{ratio:>8.2}");
    }
    Ok(())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Connections that one thread serves in turn: all get their requests, then all
/// are read from.
struct Clients {
    sockets: Vec<TcpStream>,
    requests: Vec<u8>,
    replies: Vec<u8>,
}

impl Clients {
    fn new(server: SocketAddr, connections: usize, depth: usize) -> io::Result<Clients> {
        let connect = || {
            let socket = TcpStream::connect(server)?;
            socket.set_nodelay(true)?;
            Ok(socket)
        };
        let mut sockets: Vec<_> = (0..connections).map(|_| connect()).collect::<io::Result<_>>()?;
        // All replies are as long as the first one.
        let mut len = 0;
        for socket in &mut sockets {
            len = ask_once(socket)?;
        }
        Ok(Clients { sockets, requests: GET.repeat(depth), replies: vec![0; len * depth] })
    }

    /// Requests a second over one round.
    fn rate(&mut self) -> io::Result<f64> {
        let start = Instant::now();
        let mut batches = 0;
        while start.elapsed() < ROUND {
            for socket in &mut self.sockets {
                socket.write_all(&self.requests)?;
            }
            for socket in &mut self.sockets {
                socket.read_exact(&mut self.replies)?;
                assert!(self.replies.ends_with(CONTENT));
                batches += self.requests.len() / GET.len();
            }
        }
        Ok(batches as f64 / start.elapsed().as_secs_f64())
    }
}

/// The length of a reply, found by its content.
fn ask_once(socket: &mut TcpStream) -> io::Result<usize> {
    socket.write_all(GET)?;
    let mut reply = Vec::new();
    let mut byte = [0];
    while !reply.ends_with(CONTENT) {
        socket.read_exact(&mut byte)?;
        reply.push(byte[0]);
    }
    Ok(reply.len())
}

/// Starts the other server; it ends with the process.
fn blocking() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            std::thread::spawn(move || answer(socket));
        }
    });
    Ok(address)
}

fn answer(mut socket: TcpStream) -> io::Result<()> {
    let reply = [
        b"HTTP/1.1 200 OK\r\nServer: onepoll\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
          Content-Type: text/plain; charset=utf-8\r\nContent-Length: 13\r\n\r\n",
        CONTENT,
    ]
    .concat();
    socket.set_nodelay(true)?;
    let (mut input, mut output) = (vec![0; 64 * 1024], Vec::new());
    let mut have = 0;
    loop {
        match socket.read(&mut input[have..])? {
            0 => return Ok(()),
            n => have += n,
        }
        // Requests are all alike, so that whole ones can be counted.
        for _ in 0..have / GET.len() {
            output.extend_from_slice(&reply);
        }
        input.copy_within(have - have % GET.len()..have, 0);
        have %= GET.len();
        socket.write_all(&output)?;
        output.clear();
    }
}
