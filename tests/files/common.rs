//! A tree on the disk, a server for it, and requests as nobody normalised them.

use crate::support::{Client, Reply};
use onepoll::files::Files;
use onepoll::http::Request;
use onepoll::server::Background;
use onepoll::{App, Server};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, Once};

/// Content that must never be seen from outside of `site`.
pub(crate) const SECRET: &str = "the secret outside of the folder";

/// A folder that is gone when the test is over; what is served is `site` in it.
pub(crate) struct Tree(pub(crate) PathBuf);

impl Tree {
    /// With nothing but a secret beside the site.
    pub(crate) fn empty() -> Tree {
        Tree::below(&std::env::temp_dir())
    }

    pub(crate) fn below(parent: &Path) -> Tree {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let tree = Tree(parent.join(format!("onepoll-tree-{}-{n}", std::process::id())));
        fs::create_dir_all(tree.site()).expect("a folder for the test");
        fs::write(tree.0.join("secret.txt"), SECRET).expect("a file for the test");
        fs::create_dir(tree.0.join("site-2")).expect("a folder beside");
        fs::write(tree.0.join("site-2/secret.txt"), SECRET).expect("a file beside");
        tree
    }

    /// With the usual and the odd.
    pub(crate) fn full() -> Tree {
        let tree = Tree::empty();
        for (path, content) in [
            ("index.html", "<h1>top</h1>"),
            ("404.html", "<h1>lost</h1>"),
            ("style.css", "a{}"),
            ("app.5f3c9a1b.js", "1"),
            ("data.zip", "PK"),
            ("sub/index.html", "sub"),
            ("sub/deep/a.txt", "deep"),
            ("dir.index/index.html/x", "x"),
            (".hidden", "hidden"),
            (".git/config", "git"),
            (".well-known/security.txt", "contact"),
            ("a b.txt", "space"),
            ("a+b.txt", "plus"),
            ("100%.txt", "percent"),
            ("%41.txt", "encoded"),
            ("A.txt", "plain"),
            ("c#d.txt", "hash"),
            ("e?f.txt", "question"),
            ("g\nh.txt", "newline"),
            ("back\\slash.txt", "backslash"),
            ("dots...", "dots"),
            ("naïve-€-日本.txt", "unicode"),
            ("quote\"semi;.zip", "quote"),
        ] {
            tree.put(path, content);
        }
        for (link, to) in [
            ("link-in.txt", "sub/deep/a.txt"),
            ("link-out.txt", "../secret.txt"),
            ("link-abs.txt", "/etc/hostname"),
            ("link-root", "/"),
            ("link-up", ".."),
            ("link-loop", "link-loop"),
            ("sub/link-over.txt", "../../secret.txt"),
            ("sub/link-back.txt", "../index.html"),
        ] {
            symlink(to, tree.site().join(link)).expect("a link for the test");
        }
        make_fifo(&tree.site().join("fifo"));
        let socket = std::os::unix::net::UnixListener::bind(tree.site().join("socket"));
        drop(socket.expect("a socket file for the test"));
        tree
    }

    pub(crate) fn site(&self) -> PathBuf {
        self.0.join("site")
    }

    pub(crate) fn put(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.site().join(path);
        fs::create_dir_all(path.parent().expect("below the site")).expect("a folder");
        fs::write(path, content).expect("a file for the test");
    }

    /// Puts another file in its place, at once.
    pub(crate) fn replace(&self, path: &str, content: impl AsRef<[u8]>) {
        self.put(".new", content);
        fs::rename(self.site().join(".new"), self.site().join(path)).expect("a rename");
    }

    pub(crate) fn files(&self) -> Files {
        Files::new(self.site()).expect("the folder is there")
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn make_fifo(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a FIFO");
}

/// Serves the files at `/`, or below a prefix, and `/plaintext`.
#[track_caller]
pub(crate) fn serve_at(prefix: &'static str, files: Files) -> Background {
    let server = Server::bind("127.0.0.1:0").expect("a free port");
    let spawned = server.spawn(move || {
        let mut app = App::new();
        app.get("/plaintext", |_: &mut Request| "Hello, World!");
        files.mount(&mut app, prefix);
        app
    });
    spawned.expect("a server that starts")
}

#[track_caller]
pub(crate) fn serve(files: Files) -> Background {
    serve_at("/", files)
}

/// Asks for this target, byte by byte as it stands here.
#[track_caller]
pub(crate) fn get(to: SocketAddr, target: &str) -> Reply {
    ask(to, "GET", target, "")
}

/// Asks with these lines, each with its end.
#[track_caller]
pub(crate) fn ask(to: SocketAddr, method: &str, target: &str, lines: &str) -> Reply {
    let mut client = Client::connect(to);
    client.send(format!("{method} {target} HTTP/1.1\r\nHost: x\r\n{lines}\r\n"));
    match client.try_reply_to(method) {
        Ok(reply) => reply,
        Err((ending, part)) => panic!("{method} {target}: {ending:?} after {} bytes", part.len()),
    }
}

/// The warnings of this process so far.
pub(crate) fn warnings() -> Vec<String> {
    collect_warnings();
    WARNINGS.lock().expect("no panic with the lock held").clone()
}

/// From now on.
pub(crate) fn collect_warnings() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Collector).expect("no other logger");
        log::set_max_level(log::LevelFilter::Warn);
    });
}

static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Collector;

impl log::Log for Collector {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let mut warnings = WARNINGS.lock().expect("no panic with the lock held");
            warnings.push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}
