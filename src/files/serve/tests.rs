//! Requests against a real folder, made for each test.

use super::*;
use crate::disk::Links;
use crate::http::{Body, Params};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder that is gone when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("onepoll-files-{}-{n}", std::process::id()));
        fs::create_dir_all(path.join("site/sub/deep")).unwrap();
        fs::create_dir_all(path.join("site/.well-known")).unwrap();
        fs::create_dir_all(path.join("site/odd/index.html")).unwrap();
        let put = |name: &str, content: &[u8]| fs::write(path.join(name), content).unwrap();
        put("secret.txt", b"secret");
        put("site/index.html", b"<h1>top</h1>");
        put("site/a b.txt", b"spaced");
        put("site/empty", b"");
        put("site/sub/index.html", b"sub");
        put("site/.hidden", b"hidden");
        put("site/.well-known/security.txt", b"contact");
        put("site/big.bin", &vec![7; SMALL_MAX as usize + 1]);
        put("site/small.bin", &vec![8; SMALL_MAX as usize]);
        symlink("../secret.txt", path.join("site/out.txt")).unwrap();
        symlink("index.html", path.join("site/in.html")).unwrap();
        symlink("/", path.join("site/slash")).unwrap();
        Folder(path)
    }

    fn root(&self) -> Site {
        let jail = Jail::new(self.0.join("site"), Links::Refuse).unwrap();
        Site::new(Arc::new(jail), Options::default()).0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A request as the router leaves it: mounted at `/`, the rest decoded.
fn request(method: Method, target: &str, rest: &str) -> Request {
    let mut request = Request::new(method, target);
    let names: Arc<Vec<Box<str>>> = Arc::new(vec!["path".into()]);
    let mut params = Params::new();
    params.name(&names, 0);
    params.push(|text| text.push_str(rest));
    request.params = params;
    request
}

fn ask(site: &Site, method: Method, target: &str, rest: &str) -> Result<Response, Status> {
    answer(site, &request(method, target, rest))
}

fn answer(site: &Site, request: &Request) -> Result<Response, Status> {
    match (Visit { site, request, wait: Wait::Allowed, shelf: &NoShelf }).answer() {
        Ok(response) => Ok(response),
        Err(Stop::Status(status)) => Err(status),
        Err(Stop::Wait) => panic!("a try that may wait does not give up"),
    }
}

/// Keeps nothing.
struct NoShelf;

impl Shelf for NoShelf {
    fn get(&self, _: &str) -> Known {
        Known::Nothing
    }

    fn put(&self, _: &str, _: &Arc<Resource>) {}

    fn enrich(&self, _: &str, _: &Arc<Resource>) {}

    fn renew(&self, _: &str, _: &Arc<Resource>) {}
}

fn get(root: &Site, target: &str) -> Result<Response, Status> {
    let path = target.split('?').next().unwrap().strip_prefix('/').unwrap();
    ask(root, Method::GET, target, &path.replace("%20", " "))
}

#[test]
fn files_and_folders() {
    let folder = Folder::new();
    let root = folder.root();
    let table: &[(&str, Result<&[u8], u16>)] = &[
        ("/", Ok(b"<h1>top</h1>")),
        ("/index.html", Ok(b"<h1>top</h1>")),
        ("/index.html?x=1", Ok(b"<h1>top</h1>")),
        ("/a%20b.txt", Ok(b"spaced")),
        ("/empty", Ok(b"")),
        ("/sub/", Ok(b"sub")),
        ("/.well-known/security.txt", Ok(b"contact")),
        ("/sub/deep/", Err(404)),
        ("/odd/", Err(404)),
        ("/none", Err(404)),
        ("/none/", Err(404)),
        ("/index.html/", Err(404)),
        ("/index.html/x", Err(404)),
        ("/.hidden", Err(404)),
        ("/sub/.well-known", Err(404)),
        ("/./index.html", Err(404)),
        ("/sub//index.html", Err(404)),
        ("//", Err(404)),
        ("//etc/passwd", Err(404)),
    ];
    for (target, expected) in table {
        match (get(&root, target), expected) {
            (Ok(response), Ok(content)) => {
                assert_eq!(response.status(), Status::OK, "{target}");
                assert_eq!(response.body_ref().bytes(), Some(*content), "{target}");
            }
            (Err(status), Err(code)) => assert_eq!(status.code(), *code, "{target}"),
            (got, _) => panic!("{target}: {got:?}"),
        }
    }
}

#[test]
fn nothing_leads_out_of_the_folder() {
    let folder = Folder::new();
    let root = folder.root();
    let table = [
        ("/../secret.txt", "../secret.txt"),
        ("/sub/../../secret.txt", "sub/../../secret.txt"),
        ("/..", ".."),
        ("/sub/..", "sub/.."),
        ("/%2e%2e/secret.txt", "../secret.txt"),
        ("/..%2fsecret.txt", "../secret.txt"),
        ("/out.txt", "out.txt"),
        ("/slash/etc/passwd", "slash/etc/passwd"),
    ];
    for (target, rest) in table {
        let got = ask(&root, Method::GET, target, rest);
        assert_eq!(got.map(|r| r.status()), Err(Status::FORBIDDEN), "{target}");
    }
    // No way out, and no file either.
    for (target, rest) in [
        ("/sub%2findex.html", "sub/index.html"),
        ("/a%00", "a\0"),
        ("//etc", "/etc"),
        ("//sub", "sub"),
    ] {
        let got = ask(&root, Method::GET, target, rest);
        assert_eq!(got.map(|r| r.status()), Err(Status::NOT_FOUND), "{target}");
    }
}

#[test]
fn links_within_the_folder_are_not_followed() {
    let folder = Folder::new();
    let got = get(&folder.root(), "/in.html");
    assert!(got.is_err_and(|status| status.is_error()));
}

#[test]
fn a_folder_without_its_slash_is_a_redirect_that_keeps_the_query() {
    let folder = Folder::new();
    let root = folder.root();
    for (target, location) in [("/sub", "/sub/"), ("/sub?a=b", "/sub/?a=b"), ("/sub?", "/sub/?")] {
        let response = get(&root, target).unwrap();
        assert_eq!(response.status(), Status::PERMANENT_REDIRECT);
        assert_eq!(response.get("location"), Some(location.as_bytes()), "{target}");
    }
    // The same under a prefix, where the route caught nothing.
    let response = ask(&root, Method::GET, "/static", "").unwrap();
    assert_eq!(response.get("location"), Some(&b"/static/"[..]));
    let response = ask(&root, Method::GET, "/static/", "").unwrap();
    assert_eq!(response.body_ref().bytes(), Some(&b"<h1>top</h1>"[..]));
}

#[test]
fn small_files_are_read_and_large_ones_are_spans() {
    let folder = Folder::new();
    let root = folder.root();
    let small = get(&root, "/small.bin").unwrap();
    assert_eq!(small.body_ref().bytes().map(<[u8]>::len), Some(SMALL_MAX as usize));
    let big = get(&root, "/big.bin").unwrap();
    assert!(matches!(big.body_ref(), Body::File(span) if span.len == SMALL_MAX + 1));
    let mut request = request(Method::GET, "/big.bin", "big.bin");
    request.headers_mut().add("Range", "bytes=0-9999").unwrap();
    let part = answer(&root, &request).unwrap();
    assert_eq!(part.status(), Status::PARTIAL_CONTENT);
    assert!(matches!(part.body_ref(), Body::File(span) if (span.offset, span.len) == (0, 10_000)));
    // A few bytes are read where they are in memory, as they are here.
    request.headers_mut().set("Range", "bytes=32767-").unwrap();
    let part = answer(&root, &request).unwrap();
    match part.body_ref() {
        Body::File(span) => assert_eq!((span.offset, span.len), (32767, 2)),
        other => assert_eq!(other.bytes(), Some(&[7, 7][..])),
    }
}

#[test]
fn head_knows_the_length() {
    let folder = Folder::new();
    let response = ask(&folder.root(), Method::HEAD, "/index.html", "index.html").unwrap();
    assert_eq!(response.body_ref().len(), Some(12));
    assert_eq!(response.get("content-type"), Some(&b"text/html; charset=utf-8"[..]));
}

#[test]
fn other_methods_are_refused() {
    let folder = Folder::new();
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::parse(b"PURGE").unwrap()] {
        let got = ask(&folder.root(), method, "/index.html", "index.html");
        assert_eq!(got.map(|r| r.status()), Err(Status::METHOD_NOT_ALLOWED));
    }
}

#[test]
fn a_replaced_file_has_another_tag() {
    let folder = Folder::new();
    let root = folder.root();
    let first = get(&root, "/index.html").unwrap();
    let tag = std::str::from_utf8(first.get("etag").unwrap()).unwrap().to_owned();
    let mut again = request(Method::GET, "/index.html", "index.html");
    again.headers_mut().add("If-None-Match", &tag).unwrap();
    assert_eq!(answer(&root, &again).unwrap().status(), Status::NOT_MODIFIED);
    let site = folder.0.join("site");
    fs::write(site.join("new"), b"<h1>new</h1>").unwrap();
    fs::rename(site.join("new"), site.join("index.html")).unwrap();
    let changed = answer(&root, &again).unwrap();
    assert_eq!(changed.status(), Status::OK);
    assert_eq!(changed.body_ref().bytes(), Some(&b"<h1>new</h1>"[..]));
}

#[test]
fn special_files_are_not_served_and_do_not_block() {
    let folder = Folder::new();
    let pipe = folder.0.join("site/pipe");
    make_pipe(&pipe);
    assert_eq!(get(&folder.root(), "/pipe").map(|r| r.status()), Err(Status::NOT_FOUND));
}

fn make_pipe(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

#[test]
fn overlong_names_are_not_found() {
    let folder = Folder::new();
    let root = folder.root();
    for path in ["x".repeat(256), "x".repeat(255), "y/".repeat(2500)] {
        let got = get(&root, &format!("/{path}"));
        assert_eq!(got.map(|r| r.status()), Err(Status::NOT_FOUND), "{} bytes", path.len());
    }
}

#[test]
fn a_failure_is_a_status() {
    let table = [(Errno::MFILE, 503), (Errno::NFILE, 503), (Errno::IO, 500)];
    for (errno, code) in table {
        assert_eq!(status_of("x", &io::Error::from(errno)).code(), code);
    }
}

/// Whatever is asked, only what is in the folder is answered.
#[test]
fn random_paths_never_leave_the_folder() {
    const PIECES: [&str; 14] = [
        "..",
        ".",
        "/",
        "/",
        "/",
        "sub",
        "secret.txt",
        "index.html",
        "out.txt",
        "slash",
        "\0",
        "\\",
        "site",
        "~",
    ];
    let folder = Folder::new();
    let root = folder.root();
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = |n: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % n as u64) as usize
    };
    let mut found = 0;
    for _ in 0..20_000 {
        let rest: String = (0..next(8)).map(|_| PIECES[next(PIECES.len())]).collect();
        if let Ok(response) = ask(&root, Method::GET, &format!("/{rest}"), &rest) {
            let known: [&[u8]; 2] = [b"<h1>top</h1>", b"sub"];
            match response.body_ref() {
                Body::Empty => assert_eq!(response.status(), Status::PERMANENT_REDIRECT),
                body => assert!(known.contains(&body.bytes().unwrap()), "{rest:?}"),
            }
            found += 1;
        }
    }
    // Else the pieces would prove nothing.
    assert!(found > 100, "{found}");
}
