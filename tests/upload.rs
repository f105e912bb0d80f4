//! Uploads over sockets: what is saved, and what is left of what isn't.
#![cfg(feature = "files")]

mod support;

use onepoll::files::{Files, Uploads};
use onepoll::server::Background;
use onepoll::{App, Config, Server};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Barrier};
use std::time::Duration;
use support::child::{self, Process};
use support::folder::Folder;
use support::{Client, is_slow, pattern, until};

fn serve(path: &Path, config: Config, uploads: Uploads) -> Background {
    let path = path.to_owned();
    let factory = move || {
        let mut app = App::new();
        Files::new(&path).unwrap().upload(uploads).mount(&mut app, "/");
        app
    };
    Server::bind("127.0.0.1:0").unwrap().config(config).spawn(factory).unwrap()
}

fn put(path: &str, len: usize, fields: &str) -> String {
    format!("PUT {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len}\r\n{fields}\r\n")
}

fn post(len: usize, fields: &str) -> String {
    format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len}\r\n\
         Content-Type: multipart/form-data; boundary=xyz\r\n{fields}\r\n"
    )
}

fn form(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content) in files {
        let head = format!("Content-Disposition: form-data; name=f; filename=\"{name}\"");
        body.extend_from_slice(format!("--xyz\r\n{head}\r\n\r\n").as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--xyz--\r\n");
    body
}

#[test]
fn pipelined_chunked_and_in_pieces() {
    let folder = Folder::new();
    let server = serve(&folder.0, Config::default(), Uploads::new());
    let mut client = Client::connect(server.local_addr());
    let files = form(&[("c", b"three"), ("d", b"")]);
    let mut all = put("/a", 3, "").into_bytes();
    all.extend_from_slice(b"onePUT /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    all.extend_from_slice(b"2\r\ntw\r\n1\r\no\r\n0\r\n\r\n");
    all.extend_from_slice(post(files.len(), "").as_bytes());
    all.extend_from_slice(&files);
    all.extend_from_slice(put("/a", 5, "").as_bytes());
    all.extend_from_slice(b"againGET /b HTTP/1.1\r\nHost: a\r\n\r\n");
    for size in [all.len(), 1] {
        client.send_in_pieces(&all, size);
        let created = size > 1;
        for wanted in if created { [201, 201, 303, 409, 200] } else { [409, 409, 409, 409, 200] } {
            assert_eq!(client.reply().status, wanted);
        }
    }
    assert_eq!(folder.names(), ["a", "b", "c", "d"]);
    assert_eq!((folder.read("a"), folder.read("b")), (b"one".to_vec(), b"two".to_vec()));
    assert_eq!((folder.read("c"), folder.read("d")), (b"three".to_vec(), b"".to_vec()));
}

#[test]
fn a_client_that_asks_first_is_told_before_it_sends() {
    let folder = Folder::new();
    let server = serve(&folder.0, Config::default(), Uploads::new().max(100));
    let asking = "Expect: 100-continue\r\n";
    let mut client = Client::connect(server.local_addr());
    client.send(put("/a", 3, asking)).head().expect(100);
    client.send("one").reply().expect(201);
    for (path, len, wanted) in [
        ("/a", 3, 409),
        ("/a/b", 3, 409),
        ("/none/b", 3, 409),
        ("/.b", 3, 403),
        ("/b", 101, 413),
        ("/b/", 3, 405),
    ] {
        let mut client = Client::connect(server.local_addr());
        client.send(put(path, len, asking)).reply().expect(wanted);
    }
    let mut client = Client::connect(server.local_addr());
    let body = form(&[("b", b"x")]);
    client.send(post(body.len(), asking)).head().expect(100);
    client.send(body).reply().expect(303);
    assert_eq!(folder.names(), ["a", "b"]);
}

#[test]
fn nothing_is_left_of_an_upload_that_ends_early() {
    let folder = Folder::new();
    let config = Config { body_timeout: Duration::from_millis(300), ..Config::default() };
    let server = serve(&folder.0, config, Uploads::new().max(10_000_000).file_max(1_000_000));
    let half = pattern(300_000);
    let body = form(&[("a", &half), ("b", &half)]);
    let begin = |head: String, part: &[u8]| {
        let mut client = Client::connect(server.local_addr());
        client.send(head).send(part);
        client
    };
    let written = || until("a file is being written", || folder.open() > 0);
    // Gone, by a reset and in order.
    let client = begin(put("/a", 600_000, ""), &half);
    written();
    client.reset();
    folder.is_clean();
    let mut client = begin(post(body.len(), ""), &body[..500_000]);
    written();
    client.half_close().expect_ended();
    folder.is_clean();
    // Too slow.
    begin(put("/a", 600_000, ""), &half).last_reply().expect(408);
    folder.is_clean();
    begin(post(body.len(), ""), &body[..500_000]).last_reply().expect(408);
    folder.is_clean();
    // Malformed.
    let chunked = "PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    begin(chunked.into(), b"5\r\nhello\r\nx").last_reply().expect(400);
    folder.is_clean();
    begin(post(500_000, ""), &body[..500_000]).reply().expect(400);
    folder.is_clean();
    // Too long, found out on the way.
    let long = pattern(1_000_001);
    begin(chunked.into(), b"f4241\r\n").send(&long).send("\r\n0\r\n\r\n").reply().expect(413);
    folder.is_clean();
    let body = form(&[("a", &half), ("b", &long)]);
    begin(post(body.len(), ""), &body).reply().expect(413);
    folder.is_clean();
}

/// The reply to a form that is refused early comes when the client can read it,
/// and the connection stays; a form that is far too long is cut.
#[test]
fn a_refused_form_is_read_on_for_a_while() {
    let folder = Folder::new();
    fs::write(folder.0.join("a"), "old").unwrap();
    let server = serve(&folder.0, Config::default(), Uploads::new());
    let mut client = Client::connect(server.local_addr());
    let body = form(&[("a", b"new"), ("b", &pattern(3_000_000))]);
    let refused = client.send(post(body.len(), "")).send(&body).reply().expect(409);
    assert!(refused.text().contains("\"a\"") && !refused.closes(), "{}", refused.text());
    client.send(put("/c", 1, "")).send("x").reply().expect(201);
    let body = form(&[("a", b"new"), ("b", &pattern(40_000_000))]);
    let mut client = Client::connect(server.local_addr());
    client.send(post(body.len(), ""));
    let mut rest = &body[..];
    // Until the server has had enough.
    while let Some((chunk, more)) = rest.split_at_checked(100_000) {
        if client.try_send(chunk).is_err() {
            break;
        }
        rest = more;
    }
    assert!(rest.len() > 10_000_000, "it was read to its end");
    assert_eq!(folder.names(), ["a", "c"]);
    assert_eq!(folder.read("a"), b"old");
}

#[test]
fn of_two_uploads_of_one_name_one_wins() {
    let folder = Folder::new();
    let server = serve(&folder.0, Config::default(), Uploads::new());
    let address = server.local_addr();
    const CLIENTS: usize = 6;
    for round in 0..10 {
        let barrier = Arc::new(Barrier::new(CLIENTS));
        let threads: Vec<_> = (0..CLIENTS)
            .map(|at| {
                let barrier = Arc::clone(&barrier);
                std::thread::spawn(move || {
                    let content = vec![b'0' + at as u8; 100_000];
                    let name = format!("{round}");
                    let mut client = Client::connect(address);
                    if at % 2 == 0 {
                        client.send(put(&format!("/{name}"), content.len(), ""));
                        client.send(&content[1..]);
                        barrier.wait();
                        client.send(&content[..1]);
                    } else {
                        let body = form(&[(&name, &content)]);
                        client.send(post(body.len(), "")).send(&body[..body.len() - 1]);
                        barrier.wait();
                        client.send(&body[body.len() - 1..]);
                    }
                    client.reply().status
                })
            })
            .collect();
        let codes: Vec<u16> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        let won = |code: &u16| matches!(code, 201 | 303);
        let winner = codes.iter().position(won).unwrap_or_else(|| panic!("{codes:?}"));
        assert_eq!(codes.iter().filter(|code| **code == 409).count(), CLIENTS - 1, "{codes:?}");
        assert_eq!(folder.read(&round.to_string()), vec![b'0' + winner as u8; 100_000]);
    }
    assert_eq!(folder.names().len(), 10);
}

/// With one helper, uploads that stand still don't keep it from others.
#[test]
fn slow_uploads_hold_no_helper() {
    let folder = Folder::new();
    let config = Config { helpers_max: 1, ..Config::default() };
    let server = serve(&folder.0, config, Uploads::new());
    let half = pattern(100_000);
    let body = form(&[("f", &half), ("g", &half)]);
    let mut slow: Vec<Client> = (0..30)
        .map(|at| {
            let mut client = Client::connect(server.local_addr());
            match at % 2 {
                0 => client.send(put(&format!("/slow{at}"), 200_000, "")).send(&half),
                _ => client.send(post(body.len(), "")).send(&body[..150_000]),
            };
            client
        })
        .collect();
    until("all are being written", || folder.open() >= 30);
    let mut quick = Client::connect(server.local_addr());
    quick.send(put("/quick", 3, "")).send("now").reply().expect(201);
    slow[0].send(&half).reply().expect(201);
    let mut names = folder.names();
    names.retain(|name| !name.starts_with(".onepoll-"));
    assert_eq!(names, ["quick", "slow0"]);
}

/// The other processes, when this is one.
#[test]
fn child() {
    let Some((role, argument)) = child::role() else { return };
    assert_eq!(role, "serve");
    let server = serve(Path::new(&argument), Config::default(), Uploads::new().max(4 << 30));
    child::tell(&server.local_addr().to_string());
    while child::told().is_some() {}
}

#[test]
fn nothing_is_left_when_the_server_is_killed() {
    let folder = Folder::new();
    let server = Process::spawn("child", "serve", folder.0.to_str().unwrap());
    let address = server.address();
    let before = server.descriptors();
    let mut first = Client::connect(address);
    first.send(put("/a", 600_000, "")).send(pattern(300_000));
    let mut second = Client::connect(address);
    let body = form(&[("b", &pattern(300_000)), ("c", &pattern(300_000))]);
    second.send(post(body.len(), "")).send(&body[..500_000]);
    // Two sockets, two folders, three files.
    until("all files are open", || server.descriptors() >= before + 7);
    server.kill();
    first.expect_ended();
    // Where every file must have a name, the next server removes them.
    assert!(folder.names().iter().all(|name| name.starts_with(".onepoll-")));
    let _next = serve(&folder.0, Config::default(), Uploads::new());
    until("nothing is left", || folder.names().is_empty());
}

#[test]
fn memory_does_not_grow_with_the_file() {
    let folder = Folder::new();
    let server = Process::spawn("child", "serve", folder.0.to_str().unwrap());
    let address = server.address();
    let chunk = pattern(251 * 1024);
    let count = if is_slow() { 4 * 1024 } else { 256 };
    let len = chunk.len() * count;
    let upload = |path: &str, count: usize| {
        let mut client = Client::connect(address);
        client.send(put(path, chunk.len() * count, ""));
        let mut most = 0;
        for at in 0..count {
            client.send(&chunk);
            if at % 16 == 0 {
                most = most.max(server.rss_kib());
            }
        }
        client.reply().expect(201);
        most.max(server.rss_kib())
    };
    let before = upload("/warm", 4);
    let after = upload("/large", count);
    assert!(after < before + 4096, "{before} KiB grew to {after} KiB");
    let head = "Content-Disposition: form-data; name=f; filename=form";
    let (head, tail) = (format!("--xyz\r\n{head}\r\n\r\n"), "\r\n--xyz--");
    let mut client = Client::connect(address);
    client.send(post(head.len() + len + tail.len(), "")).send(head);
    for _ in 0..count {
        client.send(&chunk);
    }
    client.send(tail).reply().expect(303);
    let after = server.rss_kib();
    assert!(after < before + 4096, "{before} KiB grew to {after} KiB");
    for name in ["large", "form"] {
        assert_eq!(fs::metadata(folder.0.join(name)).unwrap().len(), len as u64);
    }
    let content = folder.read("form");
    assert!(content.chunks(chunk.len()).all(|part| part == chunk), "other bytes were saved");
}

/// Sends files that there is no room for; one that there is.
#[track_caller]
fn runs_full(address: SocketAddr, folder: &Folder) {
    let large = pattern(3 << 20);
    let mut client = Client::connect(address);
    client.send(put("/a", large.len(), "")).send(&large).reply().expect(507);
    until("nothing is left", || folder.names().is_empty());
    let body = form(&[("a", b"small"), ("b", &large)]);
    let mut client = Client::connect(address);
    client.send(post(body.len(), "")).send(&body).reply().expect(507);
    until("nothing is left", || folder.names().is_empty());
    let mut client = Client::connect(address);
    client.send(put("/c", 300_000, "")).send(pattern(300_000)).reply().expect(201);
    assert_eq!(folder.names(), ["c"]);
    let _ = fs::remove_file(folder.0.join("c"));
}

#[test]
fn a_full_disk_is_a_507() {
    let folder = Folder::new();
    let Some(_mount) = folder.small() else { return };
    let server = serve(&folder.0, Config::default(), Uploads::new());
    runs_full(server.local_addr(), &folder);
}

/// What a process may write into one file is limited, too.
#[test]
fn a_limit_of_the_process_is_a_507() {
    let folder = Folder::new();
    let path = folder.0.to_str().unwrap();
    // In blocks of 512 bytes, or of 1,024; the signal would end the process.
    let prelude = "ulimit -f 2000; trap '' XFSZ";
    let server = Process::spawn_after(prelude, "child", "serve", path);
    runs_full(server.address(), &folder);
}

/// Runs curl, with the server's address for `HOST`: the reply's content and its
/// status. `None` if there is no curl.
#[track_caller]
fn curl(address: SocketAddr, args: &[&str]) -> Option<(String, String)> {
    let args = args.iter().map(|arg| arg.replace("HOST", &address.to_string()));
    let mut curl = Command::new("curl");
    curl.args(["-s", "-S", "--max-time", "60", "-w", "\n%{http_code}"]).args(args);
    let output = curl.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text} {}", String::from_utf8_lossy(&output.stderr));
    text.rsplit_once('\n').map(|(text, code)| (text.to_owned(), code.to_owned()))
}

#[test]
fn curl_sends_files_and_forms() {
    let (folder, source) = (Folder::new(), Folder::new());
    let server = serve(&folder.0, Config::default(), Uploads::new().overwrite(true));
    let address = server.local_addr();
    let large = source.0.join("large");
    let odd = source.0.join("odd \"name\"; é.txt");
    fs::write(&large, pattern(5_000_000)).unwrap();
    fs::write(&odd, "odd").unwrap();
    let (large, odd) = (large.to_str().unwrap(), odd.to_str().unwrap());
    let Some((_, code)) = curl(address, &["-T", large, "http://HOST/put"]) else {
        println!("skipped: no curl");
        return;
    };
    assert_eq!(code, "201");
    let (_, code) = curl(address, &["-T", large, "http://HOST/put"]).unwrap();
    assert_eq!(code, "204");
    let (first, second) = (format!("a=@{large}"), format!("b=@\"{}\"", odd.replace('"', "\\\"")));
    let json = "Accept: application/json";
    let args = ["-H", json, "-F", &first, "-F", &second, "-F", "x=y", "http://HOST/"];
    let (text, code) = curl(address, &args).unwrap();
    assert_eq!(code, "201", "{text}");
    assert!(text.contains("\"size\":5000000") && text.contains("odd%20%22name%22"), "{text}");
    assert_eq!(folder.names(), ["large", "odd \"name\"; é.txt", "put"]);
    assert_eq!(folder.read("put"), folder.read("large"));
    assert_eq!(folder.read("odd \"name\"; é.txt"), b"odd");
    let escaped = ["--form-escape", "-F", &second, "http://HOST/"];
    assert_eq!(curl(address, &escaped).unwrap().1, "303");
    let evil = format!("a=@{large};filename=../../evil");
    assert_eq!(curl(address, &["-F", &evil, "http://HOST/"]).unwrap().1, "303");
    assert_eq!(folder.names(), ["evil", "large", "odd \"name\"; é.txt", "put"]);
}
