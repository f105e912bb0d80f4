use super::*;
use crate::app::{TestClient, TestResponse};
use crate::files::Files;
use crate::http::Method;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

/// A folder with a server in memory, removed in the end.
struct Inbox {
    path: PathBuf,
    client: TestClient<App>,
}

impl Inbox {
    fn new(uploads: Uploads) -> Inbox {
        Inbox::with(|files| files.upload(uploads))
    }

    fn with(set: impl FnOnce(Files) -> Files) -> Inbox {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("onepoll-upload-{}-{number}", process::id()));
        fs::create_dir_all(path.join("sub")).unwrap();
        let mut app = App::new();
        set(Files::new(&path).unwrap()).mount(&mut app, "/");
        Inbox { path, client: TestClient::new(app) }
    }

    fn put(&mut self, target: &str, fields: &[(&str, &str)], content: &str) -> TestResponse {
        let mut request = self.client.request(Method::PUT, target);
        for (name, value) in fields {
            request = request.header(name, value);
        }
        request.body(content).send()
    }

    /// Sends a form of files with these names, whose content is `data`.
    fn form(&mut self, target: &str, names: &[&str], fields: &[(&str, &str)]) -> TestResponse {
        let mut body = String::new();
        for name in names {
            body += "--xyz\r\nContent-Disposition: form-data; name=f; filename=\"";
            body += &format!("{name}\"\r\n\r\ndata\r\n");
        }
        self.raw_form(target, &(body + "--xyz--\r\n"), fields)
    }

    fn raw_form(&mut self, target: &str, body: &str, fields: &[(&str, &str)]) -> TestResponse {
        let mut request = self.client.post(target);
        request = request.header("Content-Type", "multipart/form-data; boundary=xyz");
        for (name, value) in fields {
            request = request.header(name, value);
        }
        request.body(body).send()
    }

    /// What is there, folders with a slash.
    fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for folder in ["", "sub/"] {
            for entry in fs::read_dir(self.path.join(folder)).unwrap() {
                let entry = entry.unwrap();
                let slash = if entry.path().is_dir() { "/" } else { "" };
                let name = entry.file_name();
                names.push(format!("{folder}{}{slash}", name.to_string_lossy()));
            }
        }
        names.retain(|name| name != "sub/");
        names.sort();
        names
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path.join(name)).unwrap()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[test]
fn a_put_file_can_be_got_and_its_tag_is_the_same() {
    let mut inbox = Inbox::new(Uploads::new());
    let put = inbox.put("/sub/caf%C3%A9.txt", &[], "content");
    assert_eq!(put.status, Status::CREATED);
    assert_eq!(put.headers.text("location"), Some("/sub/caf%C3%A9.txt"));
    let got = inbox.client.get("/sub/caf%C3%A9.txt").send();
    assert_eq!(got.text(), "content");
    assert_eq!(got.headers.get("etag"), put.headers.get("etag"));
    assert_eq!(inbox.names(), ["sub/café.txt"]);
    let empty = inbox.put("/empty", &[], "");
    assert_eq!((empty.status, inbox.read("empty")), (Status::CREATED, String::new()));
}

#[test]
fn what_may_be_replaced_and_when() {
    // The tag of what is there, `@`, and another.
    type Fields<'a> = &'a [(&'a str, &'a str)];
    let table: [(bool, bool, Fields<'_>, u16); 15] = [
        (false, false, &[], 201),
        (false, true, &[], 409),
        (true, false, &[], 201),
        (true, true, &[], 204),
        (true, false, &[("If-None-Match", "*")], 201),
        (true, true, &[("If-None-Match", "*")], 412),
        (false, true, &[("If-None-Match", "*")], 412),
        (true, true, &[("If-None-Match", "\"other\"")], 204),
        (true, true, &[("If-None-Match", "@")], 412),
        (true, true, &[("If-Match", "@")], 204),
        (false, true, &[("If-Match", "@")], 409),
        (true, true, &[("If-Match", "\"other\"")], 412),
        (true, false, &[("If-Match", "\"other\"")], 412),
        (true, false, &[("If-Match", "*")], 412),
        (true, true, &[("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT")], 412),
    ];
    for (overwrite, exists, fields, code) in table {
        let mut inbox = Inbox::new(Uploads::new().overwrite(overwrite));
        let mut tag = String::new();
        if exists {
            fs::write(inbox.path.join("a"), "old").unwrap();
            let got = inbox.client.get("/a").send();
            tag = got.headers.text("etag").unwrap().to_owned();
        }
        let fields: Vec<_> = fields.iter().map(|(n, v)| (*n, v.replace('@', &tag))).collect();
        let fields: Vec<_> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let reply = inbox.put("/a", &fields, "new");
        assert_eq!(reply.status.code(), code, "{overwrite} {exists} {fields:?}");
        if exists || code < 300 {
            assert_eq!(inbox.read("a"), if code < 300 { "new" } else { "old" });
        }
        assert_eq!(inbox.names().len(), usize::from(exists || code < 300), "nothing else");
    }
}

#[test]
fn a_form_of_a_file_counts_as_the_file() {
    // (precompressed, overwrite, name, status)
    let table = [
        (true, false, "a.js.gz", 409),
        (true, false, "a.js.br", 409),
        (true, false, "a.js.zst", 409),
        (true, true, "a.js.gz", 201),
        (false, false, "a.js.gz", 201),
        (true, false, "b.js.gz", 201),
        (true, false, "a.js.gz.gz", 201),
        (true, false, "a.js.zip", 201),
        (true, false, "folder.gz", 201),
    ];
    for (precompressed, overwrite, name, code) in table {
        for by_form in [false, true] {
            let uploads = Uploads::new().overwrite(overwrite);
            let set = |files: Files| files.precompressed(precompressed).upload(uploads);
            let mut inbox = Inbox::with(set);
            fs::write(inbox.path.join("sub/a.js"), "original").unwrap();
            fs::create_dir(inbox.path.join("sub/folder")).unwrap();
            let reply = match by_form {
                true => inbox.form("/sub/", &[name], &[("Accept", "application/json")]),
                false => inbox.put(&format!("/sub/{name}"), &[], "data"),
            };
            assert_eq!(reply.status.code(), code, "{precompressed} {overwrite} {name}");
            let saved = inbox.path.join("sub").join(name).exists();
            assert_eq!(saved, code == 201, "{name}");
        }
    }
}

/// That it waits for the disk is seen by `strace -f -e fsync`.
#[test]
fn what_is_to_be_on_the_disk_is_saved_as_well() {
    let mut inbox = Inbox::new(Uploads::new().sync(true));
    assert_eq!(inbox.put("/sub/a", &[], "x").status, Status::CREATED);
    assert_eq!(inbox.form("/", &["b", "c"], &[]).status, Status::SEE_OTHER);
    assert_eq!(inbox.names(), ["b", "c", "sub/a"]);
}

#[test]
fn what_was_just_replaced_is_not_shown_any_more() {
    let mut inbox = Inbox::new(Uploads::new().overwrite(true));
    fs::write(inbox.path.join("index.html"), "old").unwrap();
    for (at, content) in ["first", "second", "data"].into_iter().enumerate() {
        let seen = inbox.client.get("/").send();
        assert_eq!(inbox.client.get("/index.html").send().text(), seen.text());
        let code = match content {
            "data" => inbox.form("/", &["index.html"], &[]).status.code(),
            _ => inbox.put("/index.html", &[], content).status.code(),
        };
        assert_eq!(code, if at < 2 { 204 } else { 303 });
        assert_eq!(inbox.client.get("/index.html").send().text(), content);
        assert_eq!(inbox.client.get("/").send().text(), content);
    }
}

#[test]
fn paths_of_put_are_vetted() {
    let mut inbox =
        Inbox::with(|files| files.only(["txt", "part"]).upload(Uploads::new().overwrite(true)));
    fs::create_dir(inbox.path.join("sub/folder.txt")).unwrap();
    let long = format!("/{}.txt", "x".repeat(252));
    let just = format!("/{}.txt", "x".repeat(251));
    let table = [
        ("/a.txt", 201),
        ("/a%20b%25%23%3F.txt", 201),
        (&just, 201),
        (&long, 400),
        ("/none/a.txt", 409),
        ("/a.txt/a.txt", 409),
        ("/", 405),
        ("/sub/", 405),
        ("/sub/folder.txt", 409),
        ("/sub", 403), // by its extension
        ("/a.exe", 403),
        ("/.hidden.txt", 403),
        ("/.onepoll-1-0.part", 403),
        ("/.hidden/a.txt", 404),
        ("/../a.txt", 403),
        ("/sub/..", 403),
        ("/%2e%2e/a.txt", 403),
        ("/..%2Fa.txt", 403),
        ("/sub%2Fa.txt", 404),
        ("/sub/..%5Ca.txt", 400),
        ("/C:%5Ca.txt", 400),
        ("/a%00.txt", 400),
        ("/a%0Ab.txt", 400),
        ("/a%7F.txt", 400),
        ("/.", 400),
        ("/sub//a.txt", 404),
        ("//a.txt", 404),
        ("/./a.txt", 404),
    ];
    for (target, code) in table {
        let reply = inbox.put(target, &[], "x");
        assert_eq!(reply.status.code(), code, "{target}: {}", reply.text());
    }
    let mut wanted = vec![&just[1..], "a b%#?.txt", "a.txt", "sub/folder.txt/"];
    wanted.sort_unstable();
    assert_eq!(inbox.names(), wanted);
    let outside = inbox.path.parent().unwrap().join("a.txt");
    assert!(!outside.exists());
    assert_eq!(inbox.put("/b.txt", &[("Content-Range", "bytes 0-0/2")], "x").status.code(), 400);
}

#[test]
fn names_in_forms_lose_their_folders_and_are_vetted() {
    let table: [(&str, Result<&str, u16>); 18] = [
        ("a.txt", Ok("a.txt")),
        ("../../x", Ok("x")),
        ("C:\\\\x", Ok("x")),
        ("C:\\dir\\y.txt", Ok("y.txt")),
        ("/etc/x", Ok("x")),
        ("日本 #1?.txt", Ok("日本 #1?.txt")),
        ("a%22b%25.txt", Ok("a\"b%25.txt")),
        ("a%2Fb", Ok("a%2Fb")),
        ("..", Err(400)),
        (".", Err(400)),
        ("a/", Err(400)),
        ("a/..", Err(400)),
        ("a%0D%0Ab", Err(400)),
        ("a\tb", Err(400)),
        ("a\u{85}b", Err(400)),
        (".htaccess", Err(403)),
        ("x/.onepoll-1-1.part", Err(403)),
        ("sub", Err(409)),
    ];
    for (name, wanted) in table {
        let mut inbox = Inbox::new(Uploads::new().overwrite(true));
        let reply = inbox.form("/", &[name], &[]);
        match wanted {
            Ok(saved) => {
                assert_eq!(reply.status, Status::SEE_OTHER, "{name}");
                assert_eq!(reply.headers.text("location"), Some("/"));
                assert_eq!((inbox.names(), inbox.read(saved)), (vec![saved.into()], "data".into()));
            }
            Err(code) => {
                assert_eq!(reply.status.code(), code, "{name}: {}", reply.text());
                assert!(inbox.names().is_empty(), "{name}");
            }
        }
    }
}

#[test]
fn a_form_is_saved_as_a_whole_or_not_at_all() {
    let mut inbox = Inbox::new(Uploads::new());
    let json = [("Accept", "application/json")];
    let reply = inbox.form("/sub/", &["a b", "c"], &json);
    assert_eq!(reply.status, Status::CREATED);
    assert_eq!(
        reply.text(),
        "[{\"name\":\"a b\",\"size\":4,\"path\":\"/sub/a%20b\"},\
         {\"name\":\"c\",\"size\":4,\"path\":\"/sub/c\"}]\n"
    );
    let both = ["sub/a b", "sub/c"];
    assert_eq!(inbox.names(), both);
    let taken = inbox.form("/sub/", &["d", "c"], &[]);
    assert_eq!(taken.status, Status::CONFLICT);
    assert!(taken.text().contains("\"c\""), "{}", taken.text());
    assert!(!taken.closes, "it was read to its end");
    assert_eq!(inbox.form("/sub/", &["d", "x/d"], &[]).status, Status::CONFLICT);
    assert_eq!(inbox.form("/sub/", &["d", "e\u{1}"], &[]).status, Status::BAD_REQUEST);
    assert_eq!(inbox.names(), both);
    let chosen = inbox.form("/", &["", "d", ""], &[]);
    assert_eq!((chosen.status, inbox.names().len()), (Status::SEE_OTHER, 3));
    assert_eq!(inbox.form("/", &["", ""], &[]).status, Status::BAD_REQUEST);
    assert_eq!(inbox.form("/", &[], &[]).status, Status::BAD_REQUEST);
}

#[test]
fn requests_that_are_no_forms_for_a_folder() {
    let mut inbox = Inbox::new(Uploads::new());
    let form = "--xyz\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\ndata\r\n--xyz--";
    for (target, code) in [("/", 303), ("/none/", 404), ("/a", 405), ("/sub", 405), ("/../", 403)] {
        assert_eq!(inbox.raw_form(target, form, &[]).status.code(), code, "{target}");
    }
    let cut = &form.replace("=a", "=b")[..form.len() - 2];
    for (body, code) in [(cut, 400), ("", 400), ("junk", 400), ("--xyz--", 400)] {
        assert_eq!(inbox.raw_form("/", body, &[]).status.code(), code, "{body:?}");
    }
    for content_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let request = inbox.client.post("/").header("Content-Type", content_type);
        assert_eq!(request.body("x").send().status, Status::UNSUPPORTED_MEDIA_TYPE);
    }
    let no_boundary = inbox.client.post("/").header("Content-Type", "multipart/form-data");
    assert_eq!(no_boundary.body("x").send().status, Status::BAD_REQUEST);
    assert_eq!(inbox.names(), ["a"]);
}

#[test]
fn limits_of_requests_files_and_counts() {
    let mut inbox = Inbox::new(Uploads::new().max(1000).file_max(10).files_max(2));
    let exact = "x".repeat(10);
    assert_eq!(inbox.put("/a", &[], &exact).status.code(), 201);
    assert_eq!(inbox.put("/b", &[], &(exact.clone() + "x")).status.code(), 413);
    assert_eq!(
        inbox.client.request(Method::PUT, "/b").chunked(exact + "x").send().status.code(),
        413
    );
    assert_eq!(inbox.form("/", &["c", "d"], &[]).status.code(), 303);
    assert_eq!(inbox.form("/", &["e", "f", "g"], &[]).status.code(), 413);
    let form = |field: &str, file: &str, rest: usize| {
        format!(
            "--xyz\r\nContent-Disposition: form-data; name=f\r\n\r\n{field}\r\n\
             --xyz\r\nContent-Disposition: form-data; name=f; filename=h\r\n\r\n{file}\r\n\
             --xyz--{}",
            "-".repeat(rest)
        )
    };
    assert_eq!(inbox.raw_form("/", &form("", &"x".repeat(11), 0), &[]).status.code(), 413);
    assert_eq!(inbox.raw_form("/", &form("", "x", 1000), &[]).status.code(), 413);
    assert_eq!(inbox.names(), ["a", "c", "d"]);
    assert_eq!(inbox.raw_form("/", &form("field", "x", 0), &[]).status.code(), 303);
    let mut wide = Inbox::new(Uploads::new());
    let long = form(&"x".repeat(1 << 20), "x", 0);
    assert_eq!(wide.raw_form("/", &long, &[]).status.code(), 303);
    let longer = form(&"x".repeat((1 << 20) + 1), "x", 0);
    assert_eq!(wide.raw_form("/", &longer, &[]).status.code(), 413);
}

#[test]
fn pages_of_other_sites_are_refused() {
    let table: [(&[(&str, &str)], bool); 20] = [
        (&[("Host", "me")], true),
        (&[("Host", "me"), ("Sec-Fetch-Site", "same-origin")], true),
        (&[("Host", "me"), ("Sec-Fetch-Site", "none")], true),
        (&[("Host", "me"), ("Sec-Fetch-Site", "same-site")], false),
        (&[("Host", "me"), ("Sec-Fetch-Site", "cross-site")], false),
        (&[("Host", "me"), ("Sec-Fetch-Site", "cross-site"), ("Origin", "http://me")], false),
        (&[("Host", "me"), ("Sec-Fetch-Site", "same-origin"), ("Origin", "https://proxy")], true),
        (&[("Host", "me:8000"), ("Origin", "http://me:8000")], true),
        (&[("Host", "me"), ("Origin", "http://ME")], true),
        (&[("Host", "me:80"), ("Origin", "http://me")], true),
        (&[("Host", "me:443"), ("Origin", "https://me")], true),
        (&[("Host", "[::1]:8000"), ("Origin", "http://[::1]:8000")], true),
        (&[("Host", "me:8000"), ("Origin", "http://me:3000")], false),
        (&[("Host", "me:8000"), ("Origin", "http://me")], false),
        (&[("Host", "me"), ("Origin", "null")], false),
        (&[("Host", "me"), ("Origin", "")], false),
        (&[("Host", "me"), ("Origin", "http://me.evil")], false),
        (&[("Host", "me"), ("Origin", "file://me")], false),
        (&[("Host", "me"), ("Origin", "https://friend"), ("Sec-Fetch-Site", "cross-site")], true),
        (&[("Host", "me"), ("Origin", "http://friend")], false),
    ];
    for (fields, welcome) in table {
        let mut inbox = Inbox::new(Uploads::new().origin("https://friend").unwrap());
        let put = inbox.put("/a", fields, "x").status.code();
        assert_eq!(put, if welcome { 201 } else { 403 }, "{fields:?}");
        let form = inbox.form("/", &["b"], fields).status.code();
        assert_eq!(form, if welcome { 303 } else { 403 }, "{fields:?}");
        assert_eq!(inbox.names().len(), if welcome { 2 } else { 0 });
    }
    for wrong in ["", "friend", "ftp://friend", "https://", "https://friend/", "https://a@b"] {
        assert!(Uploads::new().origin(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn programs_get_json_and_browsers_are_sent_on() {
    let table = [
        ("application/json", 201),
        ("text/plain, Application/JSON;q=0.9", 201),
        ("*/*", 303),
        ("text/html,application/xhtml+xml,*/*;q=0.8", 303),
        ("application/json, text/html", 303),
    ];
    for (accept, code) in table {
        let mut inbox = Inbox::new(Uploads::new());
        let reply = inbox.form("/", &["a"], &[("Accept", accept)]);
        assert_eq!(reply.status.code(), code, "{accept}");
    }
}

#[test]
fn the_folders_own_fields_are_on_replies_to_uploads() {
    let mut inbox = Inbox::with(|files| files.header("X-Own", "1").unwrap().upload(Uploads::new()));
    assert_eq!(inbox.put("/a", &[], "x").headers.text("x-own"), Some("1"));
    assert_eq!(inbox.form("/", &["b"], &[]).headers.text("x-own"), Some("1"));
}

#[test]
fn leftovers_are_removed_at_the_start_and_at_the_first_upload() {
    let path = env::temp_dir().join(format!("onepoll-upload-left-{}", process::id()));
    fs::create_dir_all(path.join("sub")).unwrap();
    for name in [".onepoll-1-0.part", "sub/.onepoll-1-0.part"] {
        fs::write(path.join(name), "half").unwrap();
    }
    let mut app = App::new();
    Files::new(&path).unwrap().upload(Uploads::new()).mount(&mut app, "/");
    let mut inbox = Inbox { path, client: TestClient::new(app) };
    assert_eq!(inbox.names(), ["sub/.onepoll-1-0.part"]);
    assert_eq!(inbox.put("/sub/a", &[], "x").status, Status::CREATED);
    assert_eq!(inbox.names(), ["sub/a"]);
}

#[test]
fn other_methods_and_no_uploads() {
    let mut inbox = Inbox::new(Uploads::new());
    let options = inbox.client.request(Method::OPTIONS, "/a").send();
    assert_eq!(options.headers.text("allow"), Some("GET, HEAD, OPTIONS, POST, PUT"));
    let mut closed = Inbox::with(|files| files);
    assert_eq!(closed.put("/a", &[], "x").status, Status::METHOD_NOT_ALLOWED);
    assert!(closed.names().is_empty());
}

/// On several loops, and when one application takes another's place.
#[test]
fn uploads_beside_others_wait_for_each_other() {
    let first = Uploads::new();
    let second = Uploads::new().max(1).beside(&first);
    assert_eq!(second.max, 1);
    let held = first.common.names.lock().unwrap();
    for other in [&second, &first.clone()] {
        assert!(other.common.names.try_lock().is_err());
    }
    assert!(Uploads::new().common.names.try_lock().is_ok());
    drop(held);
}
