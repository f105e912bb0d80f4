//! One file, one route: a web server that does slow work without making anybody
//! wait who hasn't asked for it.
//!
//! ```text
//! cargo run --release --example simple_server -- [PORT [HOST [THREADS]]]
//! curl http://127.0.0.1:8080/
//! ```
//!
//! `PORT` is 8080 (0 for any that is free), `HOST` is 127.0.0.1, and `THREADS`, the
//! helper threads that there may be, is 10.
//!
//! What to look for: this is the loop of `tcp_echo`, grown up. One thread owns all
//! clients; what may block (here: nothing but the wish to show it) is given to a
//! helper by `offload`. Helpers come when there is work and go when there is none,
//! so that an idle server is one thread.

use onepoll::{App, Config, Request, Server, offload};
use std::process::ExitCode;

/// This runs on a helper thread: it may read files, ask a database, or compute.
fn hello(_: &mut Request) -> String {
    let thread = std::thread::current();
    format!("Hello, World! This is {}.\n", thread.name().unwrap_or("a thread without a name"))
}

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("simple_server: {why}\nusage: simple_server [PORT [HOST [THREADS]]]");
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (port, host, threads) = match args.as_slice() {
        [] => ("8080", "127.0.0.1", "10"),
        [port] => (port.as_str(), "127.0.0.1", "10"),
        [port, host] => (port.as_str(), host.as_str(), "10"),
        [port, host, threads] => (port.as_str(), host.as_str(), threads.as_str()),
        _ => return Err("that is more than there is to say".into()),
    };
    let port: u16 = port.parse().map_err(|_| format!("`{port}` is no port"))?;
    let helpers_max =
        threads.parse().map_err(|_| format!("`{threads}` is no number of threads"))?;

    let mut app = App::new();
    app.get("/", offload(hello));
    let config = Config { helpers_max, ..Config::default() };
    let server = Server::bind((host, port))?.config(config);
    println!("listening on http://{}", server.local_addr()?);
    Ok(server.run(app)?)
}
