//! A folder as an application sees it, and as clients do.
#![cfg(feature = "files")]

#[path = "files/changing.rs"]
mod changing;
#[path = "files/common.rs"]
mod common;
#[path = "files/corpus.rs"]
mod corpus;
#[path = "files/settings.rs"]
mod settings;
mod support;

use onepoll::app::TestClient;
use onepoll::http::{Method, Status};
use onepoll::{App, Error, files::Files};
use std::fs;
use std::path::PathBuf;

/// A folder that is gone when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("onepoll-{name}-{}", std::process::id());
        let folder = Folder(std::env::temp_dir().join(name));
        fs::create_dir_all(folder.0.join("sub")).unwrap();
        fs::write(folder.0.join("index.html"), "top").unwrap();
        fs::write(folder.0.join("start.htm"), "start").unwrap();
        fs::write(folder.0.join("sub/a.txt"), "0123456789").unwrap();
        folder
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn client(files: &Files) -> TestClient<App> {
    let mut app = App::new();
    app.get("/{*path}", files.handler());
    TestClient::new(app)
}

#[test]
fn a_folder_is_a_handler() {
    let folder = Folder::new("handler");
    let mut client = client(&Files::new(&folder.0).unwrap());
    let table = [
        ("/", 200, "top"),
        ("/index.html", 200, "top"),
        ("/sub/a.txt", 200, "0123456789"),
        ("/sub", 308, ""),
        ("/sub/", 404, "404 Not Found\n"),
        ("/none", 404, "404 Not Found\n"),
        ("/../x", 403, "403 Forbidden\n"),
    ];
    for (target, code, text) in table {
        let response = client.get(target).send();
        assert_eq!(response.status.code(), code, "{target}");
        assert_eq!(response.text(), text, "{target}");
    }
}

#[test]
fn a_range_and_a_revalidation() {
    let folder = Folder::new("range");
    let mut client = client(&Files::new(&folder.0).unwrap());
    let part = client.get("/sub/a.txt").header("Range", "bytes=2-4").send();
    assert_eq!(part.status, Status::PARTIAL_CONTENT);
    assert_eq!(part.text(), "234");
    assert_eq!(part.headers.get("content-range"), Some(&b"bytes 2-4/10"[..]));
    let tag = part.headers.text("etag").unwrap().to_owned();
    let again = client.get("/sub/a.txt").header("If-None-Match", &tag).send();
    assert_eq!(again.status, Status::NOT_MODIFIED);
    assert!(again.body.is_empty());
}

#[test]
fn head_has_the_head_of_get() {
    let folder = Folder::new("head");
    let mut client = client(&Files::new(&folder.0).unwrap());
    let get = client.get("/sub/a.txt").send();
    let head = client.request(Method::HEAD, "/sub/a.txt").send();
    assert_eq!(head.status, Status::OK);
    assert!(head.body.is_empty());
    for name in ["etag", "last-modified", "content-type", "accept-ranges"] {
        assert!(head.headers.get(name).is_some(), "{name}");
        assert_eq!(head.headers.get(name), get.headers.get(name), "{name}");
    }
}

#[test]
fn other_methods_are_told_what_is_allowed() {
    let folder = Folder::new("methods");
    let files = Files::new(&folder.0).unwrap();
    let mut app = App::new();
    app.any("/{*path}", files.handler());
    let response = TestClient::new(app).post("/index.html").send();
    assert_eq!(response.status, Status::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers.get("allow"), Some(&b"GET, HEAD"[..]));
}

#[test]
fn the_index_file_can_have_another_name() {
    let folder = Folder::new("index");
    let files = Files::new(&folder.0).unwrap().index("start.htm");
    assert_eq!(client(&files).get("/").send().text(), "start");
}

#[test]
fn what_is_no_folder_is_told_at_the_start() {
    let folder = Folder::new("start");
    let missing = folder.0.join("missing");
    let file = folder.0.join("index.html");
    let told = |path: &PathBuf| match Files::new(path) {
        Err(error @ Error::Folder { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(told(&missing), format!("{}: no such folder", missing.display()));
    assert_eq!(told(&file), format!("{}: not a folder", file.display()));
}

/// Some file systems can't say whether a part of a file is in memory. A helper
/// reads it then, and what was read is sent without asking again.
#[test]
fn a_large_file_arrives_from_any_file_system() {
    use std::io::{Read, Write};
    for parent in ["/dev/shm", "/tmp", "/sys/kernel"] {
        let (path, _folder) = match parent {
            "/sys/kernel" => (PathBuf::from("/sys/kernel/btf"), None),
            _ => {
                let path = PathBuf::from(parent).join(format!("onepoll-{}", std::process::id()));
                if fs::create_dir_all(&path).is_err() {
                    println!("skipped: no {parent} to write to");
                    continue;
                }
                fs::write(path.join("vmlinux"), vec![7; 3 << 20]).unwrap();
                (path.clone(), Some(Folder(path)))
            }
        };
        let Ok(content) = fs::read(path.join("vmlinux")) else {
            println!("skipped: no large file below {parent}");
            continue;
        };
        let server = onepoll::Server::bind("127.0.0.1:0").unwrap();
        let server = server.spawn(move || {
            let mut app = App::new();
            app.get("/{*path}", Files::new(&path).unwrap().handler());
            app
        });
        let server = server.unwrap();
        let mut client = std::net::TcpStream::connect(server.local_addr()).unwrap();
        client.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        let request = b"GET /vmlinux HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        client.write_all(request).unwrap();
        let mut reply = Vec::new();
        client.read_to_end(&mut reply).unwrap();
        assert!(reply.ends_with(&content), "{parent}: {} bytes", reply.len());
    }
}
