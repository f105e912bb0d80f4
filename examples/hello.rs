//! The smallest server: one route, and its address for you to click on.
//!
//! `cargo run --release --example hello`

use onepoll::{App, Error, Server, http::Request};

fn main() -> Result<(), Error> {
    let mut app = App::new();
    app.get("/", |_: &mut Request| "Hello, World!\n");
    let server = Server::bind("127.0.0.1:8080")?;
    println!("http://{}", server.local_addr()?);
    server.run(app)
}
