//! scratch
use onepoll::{
    App, Server,
    disk::Links,
    files::{Files, Uploads},
};
fn main() {
    let dir = std::env::args().nth(1).unwrap();
    let mut app = App::new();
    let files = Files::new(&dir).unwrap().listing(true).links(Links::Within).unwrap();
    let files =
        if std::env::args().nth(2).is_some() { files.upload(Uploads::new()) } else { files };
    app.get("/{*path}", files.handler());
    Server::bind("127.0.0.1:4713").unwrap().run(app).unwrap();
}
