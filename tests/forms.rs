//! Forms and raw content for handlers of one's own, over sockets: what is kept, and
//! what is left of what isn't.

mod support;

use onepoll::app::{App, Reject};
use onepoll::forms::{UploadBody, UploadForm, UploadedFile, UploadedForm};
use onepoll::http::Request;
use onepoll::server::Background;
use onepoll::{Config, Server};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Barrier};
use std::time::Duration;
use support::child::{self, Process};
use support::folder::Folder;
use support::{Client, Reply, pattern, until};

/// Does what the field `do` says, and tells what came.
fn handle(_: &mut Request, form: &UploadedForm) -> Result<String, Reject> {
    let mut told = String::new();
    for (name, value) in form.fields() {
        writeln!(told, "{name}={value}").unwrap();
    }
    let wish = form.get("do").unwrap_or("keep");
    if wish == "all" {
        return Ok(form.keep_all()?.join("\n"));
    }
    for file in form.files() {
        let (field, sent, len) = (file.field(), file.client_name(), file.len());
        let kind = file.content_type().unwrap_or("-");
        let name = match wish {
            "keep" => file.keep_as_unique()?,
            "stamp" => file.keep_stamped("up-", "bin")?,
            "drop" => "-".to_owned(),
            "undo" => {
                let name = file.keep_as_unique()?;
                file.take_back()?;
                name
            }
            "panic" => {
                file.keep("kept").unwrap();
                panic!("as the test wishes");
            }
            name => file.keep(name).map(|()| name.to_owned())?,
        };
        writeln!(told, "{field}|{sent}|{kind}|{len}|{name}").unwrap();
    }
    Ok(told)
}

/// What the raw content is saved as.
fn handle_raw(_: &mut Request, file: &UploadedFile) -> Result<String, Reject> {
    Ok(file.keep_stamped("upload-", "json")?)
}

fn serve(path: &Path, config: Config, set: impl Fn(UploadForm) -> UploadForm) -> Background {
    let form = set(UploadForm::into(path).unwrap());
    let raw = UploadBody::into(path).unwrap().max(5_000_000).types(&["application/json", "text/*"]);
    let factory = move || {
        let mut app = App::new();
        form.mount(&mut app, "/", handle);
        app.post("/buffered", form.handler(handle));
        raw.mount(&mut app, "/raw", handle_raw);
        app.get("/", |_: &mut Request| "here");
        app
    };
    Server::bind("127.0.0.1:0").unwrap().config(config).spawn(factory).unwrap()
}

fn plain(folder: &Folder) -> Background {
    serve(&folder.0, Config::default(), |form| form)
}

fn post(path: &str, len: usize, fields: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len}\r\n\
         Content-Type: multipart/form-data; boundary=xyz\r\n{fields}\r\n"
    )
}

fn raw(len: usize, kind: &str) -> String {
    let length = format!("Content-Length: {len}");
    format!("POST /raw HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\n{length}\r\n\r\n")
}

const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\
                       Content-Type: multipart/form-data; boundary=xyz\r\n\r\n";

/// Parts as disposition and content.
fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (disposition, content) in parts {
        let head = format!("Content-Disposition: form-data; {disposition}");
        body.extend_from_slice(format!("--xyz\r\n{head}\r\n\r\n").as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--xyz--\r\n");
    body
}

#[track_caller]
fn sent(address: SocketAddr, body: &[u8]) -> Reply {
    Client::connect(address).send(post("/", body.len(), "")).send(body).reply()
}

#[test]
fn a_form_is_read_at_every_split() {
    let folder = Folder::new();
    let server = plain(&folder);
    let mut body = form(&[
        ("name=title", "Ärger".as_bytes()),
        (
            "name=a; filename=\"..\\\\x\"; filename*=UTF-8''n%C3%A4.txt\r\n\
             Content-Type: text/plain",
            b"one\r\n--xy",
        ),
        ("name=none; filename=\"\"", b""),
        ("name=b; filename=empty", b""),
        ("name=title", b""),
    ]);
    let wanted = "title=Ärger\ntitle=\na|nä.txt|text/plain|9|nä.txt\nb|empty|-|0|empty\n";
    let mut client = Client::connect(server.local_addr());
    for split in 0..=body.len() {
        let (first, second) = body.split_at(split);
        client.send(post("/", body.len(), "")).send(first);
        // Content of another request goes between, so that the halves come apart.
        if split % 16 == 0 {
            Client::connect(server.local_addr()).ask("GET /", &[]).expect(200);
        }
        assert_eq!(client.send(second).reply().expect(200).text(), wanted, "at {split}");
        assert_eq!(folder.names(), ["empty", "nä.txt"]);
        assert_eq!(
            (folder.read("nä.txt"), folder.read("empty")),
            (b"one\r\n--xy".to_vec(), vec![])
        );
        folder.names().iter().for_each(|name| fs::remove_file(folder.0.join(name)).unwrap());
    }
    let mut all = post("/", body.len(), "").into_bytes();
    all.append(&mut body);
    assert_eq!(client.send_in_pieces(&all, 1).reply().expect(200).text(), wanted);
    folder.names().iter().for_each(|name| fs::remove_file(folder.0.join(name)).unwrap());
    folder.is_clean();
}

#[test]
fn what_is_wrong_is_named_and_leaves_nothing() {
    let folder = Folder::new();
    let server = serve(&folder.0, Config::default(), |form| {
        form.fields_max(300).file_max(1000).files_max(2).total_max(10_000).part_head_max(200)
    });
    let address = server.local_addr();
    let file = ("name=f; filename=f", &b"content"[..]);
    let long = pattern(1001);
    let wide = format!("name=f; filename={}", "n".repeat(200));
    let whole = form(&[file]);
    let short = &whole[..whole.len() - 6];
    let table: [(&[u8], u16, &str); 9] = [
        (&form(&[file, ("name=f; filename=g", &long)]), 413, "a file is too long"),
        (&form(&[file, ("name=f", &long)]), 413, "the form's fields are too long"),
        (&form(&[file, file, file]), 413, "there are too many files in the form"),
        (&form(&[file, (&wide, b"")]), 413, "the head of a part is too long"),
        (&form(&[file, ("name=f", b"\xff")]), 400, "a field of the form is not UTF-8"),
        (short, 400, "the form ends before its last boundary"),
        (b"--abc\r\n\r\n--abc--\r\n", 400, "the boundary does not occur in the content"),
        (b"", 400, "the boundary does not occur in the content"),
        (&form(&[file, ("filename=f", b"")]), 400, "a part's name is missing"),
    ];
    for (body, status, message) in table {
        let reply = sent(address, body).expect(status);
        assert!(reply.text().contains(message), "{message}: {}", reply.text());
        folder.is_clean();
    }
    let heads = [
        ("Content-Type: text/plain\r\n", 415, "no multipart form"),
        ("", 415, "no multipart form"),
        ("Content-Type: multipart/form-data\r\n", 400, "the boundary is missing"),
        (
            "Content-Type: multipart/form-data; boundary=a\r\nContent-Type: text/plain\r\n",
            400,
            "twice",
        ),
        (
            "Content-Type: multipart/form-data; boundary=a\r\nContent-Encoding: gzip\r\n",
            415,
            "compressed content is not taken",
        ),
    ];
    for (fields, status, message) in heads {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n{fields}\r\nabcd");
        let reply = Client::connect(address).send(head).reply().expect(status);
        assert!(reply.text().contains(message), "{message}: {}", reply.text());
    }
    // Told before it is sent, if it says so; found out, if not.
    let asking = post("/", 10_001, "Expect: 100-continue\r\n");
    Client::connect(address).send(asking).reply().expect(413);
    let many: Vec<u8> = form(&[file; 2]).into_iter().chain(pattern(10_000)).collect();
    let mut client = Client::connect(address);
    client.send(CHUNKED).send(format!("{:x}\r\n", many.len())).send(&many).send("\r\n0\r\n\r\n");
    client.reply().expect(413);
    folder.is_clean();
    sent(address, &whole).expect(200);
}

/// Bytes of the longest file in the folder that this process has open.
fn longest(folder: &Folder) -> u64 {
    let open = fs::read_dir("/proc/self/fd").unwrap().filter_map(Result::ok);
    let ours = open
        .map(|fd| fd.path())
        .filter(|fd| fs::read_link(fd).is_ok_and(|to| to.starts_with(&folder.0) && to != folder.0));
    ours.filter_map(|fd| Some(fs::metadata(fd).ok()?.len())).max().unwrap_or(0)
}

#[test]
fn what_is_under_way_is_bounded_all_together() {
    let folder = Folder::new();
    let server = serve(&folder.0, Config::default(), |form| form.under_way_max(900_000));
    let address = server.local_addr();
    let large = form(&[("name=a; filename=a", &pattern(900_000))]);
    let small = form(&[("name=b; filename=b", &pattern(400_000)), ("name=do", b"drop")]);
    let mut first = Client::connect(address);
    first.send(post("/", large.len(), "")).send(&large[..850_000]);
    // All but its last chunk: earlier, the other could be the one that is let in.
    until("it is on the disk", || longest(&folder) > 780_000);
    assert!(sent(address, &small).expect(503).text().contains("too many uploads at once"));
    // Who was here before is not disturbed, and what is kept is no longer under way.
    first.send(&large[850_000..]).reply().expect(200);
    for _ in 0..8 {
        sent(address, &small).expect(200);
    }
    assert_eq!(folder.names(), ["a"]);
    let mut gone = Client::connect(address);
    gone.send(post("/", large.len(), "")).send(&large[..850_000]);
    until("it is on the disk", || longest(&folder) > 780_000);
    sent(address, &small).expect(503);
    gone.reset();
    until("there is room again", || sent(address, &small).status == 200);
    // Raw content has its own.
    let body = form(&[("name=a; filename=a", &pattern(1_000_001))]);
    sent(address, &body).expect(503);
    let head = raw(1_000_001, "text/a");
    Client::connect(address).send(head).send(pattern(1_000_001)).reply().expect(200);
}

#[test]
fn ten_thousand_tiny_parts() {
    let folder = Folder::new();
    let body = form(&vec![("name=a", &b"1"[..]); 10_000]);
    let server = serve(&folder.0, Config::default(), |form| form.fields_max(1 << 20));
    let reply = sent(server.local_addr(), &body).expect(413);
    assert!(reply.text().contains("too many parts"), "{}", reply.text());
    let server =
        serve(&folder.0, Config::default(), |form| form.parts_max(10_000).fields_max(10_000 * 66));
    assert_eq!(sent(server.local_addr(), &body).expect(200).text(), "a=1\n".repeat(10_000));
    let files = form(&vec![("name=a; filename=a", &b"1"[..]); 10_000]);
    sent(server.local_addr(), &files).expect(413);
    folder.is_clean();
}

#[test]
fn nothing_is_left_of_a_form_that_ends_early() {
    let folder = Folder::new();
    let config = Config { body_timeout: Duration::from_millis(300), ..Config::default() };
    let server = serve(&folder.0, config, |form| form);
    let half = pattern(300_000);
    let body = form(&[("name=a; filename=a", &half), ("name=b; filename=b", &half)]);
    let begin = |path: &str, part: &[u8]| {
        let mut client = Client::connect(server.local_addr());
        client.send(post(path, body.len(), "")).send(part);
        client
    };
    let written = || until("a file is being written", || folder.open() > 0);
    let client = begin("/", &body[..500_000]);
    written();
    client.reset();
    folder.is_clean();
    let mut client = begin("/", &body[..500_000]);
    written();
    client.half_close().expect_ended();
    folder.is_clean();
    begin("/", &body[..500_000]).last_reply().expect(408);
    folder.is_clean();
    // Raw content.
    let raw = raw(half.len() * 2, "text/plain");
    let mut client = Client::connect(server.local_addr());
    client.send(&raw).send(&half);
    written();
    client.reset();
    folder.is_clean();
    Client::connect(server.local_addr()).send(&raw).send(&half).last_reply().expect(408);
    folder.is_clean();
}

#[test]
fn the_handler_decides() {
    let folder = Folder::new();
    let server = plain(&folder);
    let ask = |wish: &str| {
        let file = ("name=a; filename=cat.jpg", &b"cat"[..]);
        sent(server.local_addr(), &form(&[("name=do", wish.as_bytes()), file]))
    };
    ask("drop").expect(200);
    folder.is_clean();
    ask("undo").expect(200);
    folder.is_clean();
    for name in ["cat.jpg", "cat-2.jpg", "cat-3.jpg"] {
        assert!(ask("keep").expect(200).text().ends_with(&format!("|{name}\n")));
    }
    ask("cat.jpg").expect(409);
    ask("dog.jpg").expect(200);
    ask(&"n".repeat(300)).expect(400);
    assert_eq!(folder.names(), ["cat-2.jpg", "cat-3.jpg", "cat.jpg", "dog.jpg"]);
    // What a handler has kept before it panics stays: it was asked for.
    ask("panic").expect(500);
    assert_eq!(folder.names().len(), 5);
    for _ in 0..8 {
        ask("keep").expect(200);
    }
    // Beyond the numbers, a time.
    let stamped =
        folder.names().into_iter().filter(|name| name.starts_with("cat-2") && name.len() > 9);
    assert_eq!(stamped.count(), 2, "{:?}", folder.names());
    assert!(folder.names().iter().all(|name| folder.read(name) == b"cat"));
}

#[test]
fn all_files_are_kept_at_once() {
    let folder = Folder::new();
    let server = plain(&folder);
    let body = form(&[
        ("name=do", b"all"),
        ("name=a; filename=a", b"one"),
        ("name=b; filename=b", b"two"),
    ]);
    assert_eq!(sent(server.local_addr(), &body).expect(200).text(), "a\nb");
    assert_eq!(sent(server.local_addr(), &body).expect(200).text(), "a-2\nb-2");
    assert_eq!(folder.names(), ["a", "a-2", "b", "b-2"]);
}

#[test]
fn a_route_that_takes_content_into_memory_works_too() {
    let folder = Folder::new();
    let server = plain(&folder);
    let body = form(&[("name=a; filename=a", b"one")]);
    let mut client = Client::connect(server.local_addr());
    client.send(post("/buffered", body.len(), "")).send(&body).reply().expect(200);
    assert_eq!(folder.read("a"), b"one");
}

#[test]
fn many_at_once_with_one_name_lose_nothing() {
    let folder = Folder::new();
    let server = plain(&folder);
    let address = server.local_addr();
    const CLIENTS: usize = 8;
    let barrier = Arc::new(Barrier::new(CLIENTS));
    let threads: Vec<_> = (0..CLIENTS)
        .map(|at| {
            let barrier = Arc::clone(&barrier);
            std::thread::spawn(move || {
                let content = vec![b'0' + at as u8; 50_000];
                let body = form(&[("name=f; filename=same.txt", &content)]);
                let mut names = Vec::new();
                for round in 0..4 {
                    let mut client = Client::connect(address);
                    let (head, tail) = body.split_at(body.len() - 1);
                    client.send(post("/", body.len(), "")).send(head);
                    barrier.wait();
                    let reply = client.send(tail).reply().expect(200);
                    names.push(reply.text().trim_end().rsplit('|').next().unwrap().to_owned());
                    let raw = raw(1, "application/json; charset=utf-8") + &round.to_string();
                    names.push(
                        Client::connect(address).send(raw).reply().expect(200).text().to_owned(),
                    );
                }
                (at, names)
            })
        })
        .collect();
    let mut all = BTreeSet::new();
    for thread in threads {
        let (at, names) = thread.join().unwrap();
        for name in names {
            let wanted = if name.starts_with("upload-") { 1 } else { 50_000 };
            let content = folder.read(&name);
            assert_eq!(content.len(), wanted, "{name}");
            assert!(wanted == 1 || content.iter().all(|&b| b == b'0' + at as u8), "{name}");
            assert!(all.insert(name));
        }
    }
    assert_eq!(all.into_iter().collect::<Vec<_>>(), folder.names());
}

#[test]
fn raw_content_is_saved() {
    let folder = Folder::new();
    let server = plain(&folder);
    let ask = |fields: &str, content: &[u8]| {
        let len = content.len();
        let head =
            format!("POST /raw HTTP/1.1\r\nHost: a\r\nContent-Length: {len}\r\n{fields}\r\n");
        Client::connect(server.local_addr()).send(head).send(content).reply()
    };
    let content = pattern(3_000_000);
    let reply = ask("Content-Type: Text/Anything\r\n", &content).expect(200);
    assert!(reply.text().starts_with("upload-2") && reply.text().ends_with(".json"));
    assert_eq!(folder.read(reply.text()), content);
    let reply = ask("Content-Type: application/json\r\n", b"").expect(200);
    assert_eq!(folder.read(reply.text()), b"");
    ask("", b"{}").expect(415);
    ask("Content-Type: application/jsonx\r\n", b"{}").expect(415);
    ask("Content-Type: application/json\r\nContent-Encoding: br\r\n", b"{}").expect(415);
    let head = raw(5_000_001, "text/a");
    Client::connect(server.local_addr()).send(head).reply().expect(413);
    assert_eq!(folder.names().len(), 2);
}

/// The other processes, when this is one.
#[test]
fn child() {
    let Some((role, argument)) = child::role() else { return };
    assert_eq!(role, "serve");
    let server = serve(Path::new(&argument), Config::default(), |form| form.sync(true));
    child::tell(&server.local_addr().to_string());
    while child::told().is_some() {}
}

#[test]
fn memory_does_not_grow_with_the_file_and_a_kill_leaves_nothing() {
    let folder = Folder::new();
    let server = Process::spawn("child", "serve", folder.0.to_str().unwrap());
    let address = server.address();
    let chunk = pattern(251 * 1024);
    let (head, tail) =
        ("--xyz\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\n", "\r\n--xyz--");
    let upload = |count: usize| {
        let len = head.len() + chunk.len() * count + tail.len();
        let mut client = Client::connect(address);
        client.send(post("/", len, "")).send(head);
        let mut most = 0;
        for at in 0..count {
            client.send(&chunk);
            if at % 16 == 0 {
                most = most.max(server.rss_kib());
            }
        }
        client.send(tail).reply().expect(200);
        most.max(server.rss_kib())
    };
    let before = upload(4);
    let after = upload(256);
    assert!(after < before + 4096, "{before} KiB grew to {after} KiB");
    assert_eq!(folder.names(), ["f", "f-2"]);
    assert!(folder.read("f-2").chunks(chunk.len()).all(|part| part == chunk));
    let files = server.descriptors();
    let mut client = Client::connect(address);
    client.send(post("/", 1_000_000, "")).send(head).send(&chunk).send(&chunk);
    until("it is being written", || server.descriptors() >= files + 2);
    server.kill();
    client.expect_ended();
    let _next = plain(&folder);
    assert_eq!(folder.names(), ["f", "f-2"]);
}

/// Sends a form that there is no room for; one that there is.
#[track_caller]
fn runs_full(address: SocketAddr, folder: &Folder) {
    let large = pattern(3 << 20);
    let small = ("name=a; filename=a", &b"small"[..]);
    let body = form(&[("name=do", b"all"), small, ("name=b; filename=b", &large)]);
    sent(address, &body).expect(507);
    until("nothing is left", || folder.names().is_empty());
    let head = raw(large.len(), "text/a");
    Client::connect(address).send(head).send(&large).reply().expect(507);
    until("nothing is left", || folder.names().is_empty());
    sent(address, &form(&[small])).expect(200);
    assert_eq!(folder.names(), ["a"]);
    fs::remove_file(folder.0.join("a")).unwrap();
}

#[test]
fn a_full_disk_is_a_507() {
    let folder = Folder::new();
    let Some(_mount) = folder.small() else { return };
    let server = plain(&folder);
    runs_full(server.local_addr(), &folder);
}

/// What a process may write into one file is limited, too.
#[test]
fn a_limit_of_the_process_is_a_507() {
    let folder = Folder::new();
    let prelude = "ulimit -f 2000; trap '' XFSZ";
    let server = Process::spawn_after(prelude, "child", "serve", folder.0.to_str().unwrap());
    runs_full(server.address(), &folder);
}
