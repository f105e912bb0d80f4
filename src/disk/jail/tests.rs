use super::*;
use rustix::fs::mknodat;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, ffi::OsStr, fs, process};

/// A folder with a tree below `in` and a secret beside it, removed in the end.
pub(super) struct Tree(pub(super) PathBuf);

impl Tree {
    pub(super) fn new() -> Tree {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let base = env::temp_dir().join(format!("onepoll-jail-{}-{number}", process::id()));
        let root = base.join("in");
        fs::create_dir_all(root.join("a/b")).unwrap();
        for (name, content) in [
            (&b"../secret"[..], "secret"),
            (b"index.html", "index"),
            (b"a/b/deep.txt", "deep"),
            (b"back\\slash", "backslash"),
            (b"..\\secret", "no escape"),
            (b"\xFF\xFE", "no UTF-8"),
            (b"...", "three dots"),
            (b"..a", "two dots"),
            (b" ", "blank"),
            (b"new\nline", "newline"),
            (b"%2e%2e", "encoded"),
        ] {
            fs::write(root.join(OsStr::from_bytes(name)), content).unwrap();
        }
        for (name, target) in [
            ("link", "index.html"),
            ("a/up", "../index.html"),
            ("folder", "a/b"),
            ("out", "../secret"),
            ("absolute", "/etc/passwd"),
            ("root", "/"),
            ("a/out", "../.."),
            ("detour", "../in/index.html"),
            ("loop", "loop"),
            ("dangling", "nothing"),
            ("magic", "/proc/self/root"),
        ] {
            symlink(target, root.join(name)).unwrap();
        }
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, root.join("fifo"), FileType::Fifo, mode, 0).unwrap();
        drop(UnixListener::bind(root.join("socket")).unwrap());
        Tree(base)
    }

    pub(super) fn jails(&self, links: Links) -> Vec<Jail> {
        let jail = Jail::new(self.0.join("in"), links).unwrap();
        if jail.way == Way::Walk {
            return vec![jail];
        }
        vec![jail, Jail { way: Way::Walk, ..Jail::new(self.0.join("in"), links).unwrap() }]
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// In a word: the content, `folder`, or the error's name.
fn told(result: Result<Opened, OpenError>) -> String {
    match result {
        Ok(Opened { metadata, .. }) if metadata.is_dir() => "folder".to_owned(),
        Ok(Opened { mut file, metadata }) => {
            let mut content = String::new();
            file.read_to_string(&mut content).unwrap();
            assert_eq!(metadata.len(), content.len() as u64);
            content
        }
        Err(error) => format!("{error:?}"),
    }
}

#[test]
fn plain_paths_are_opened_and_mischief_is_not() {
    let tree = Tree::new();
    let long = [b'a'; 300];
    let deep = b"a/".repeat(3000);
    let cases: &[(&[u8], &str)] = &[
        (b"", "folder"),
        (b"a", "folder"),
        (b"a/b", "folder"),
        (b"index.html", "index"),
        (b"a/b/deep.txt", "deep"),
        (b"back\\slash", "backslash"),
        (b"..\\secret", "no escape"),
        (b"\xFF\xFE", "no UTF-8"),
        (b"...", "three dots"),
        (b"..a", "two dots"),
        (b" ", "blank"),
        (b"new\nline", "newline"),
        (b"%2e%2e", "encoded"),
        (b"%2e%2e/secret", "NotFound"),
        (b"nothing", "NotFound"),
        (b"a/nothing", "NotFound"),
        (b"nothing/a", "NotFound"),
        (b"index.html/a", "NotFound"),
        (b"INDEX.html", "NotFound"),
        (b"..", "Escape"),
        (b"../secret", "Escape"),
        (b"../in/index.html", "Escape"),
        (b"a/../index.html", "Escape"),
        (b"a/b/../../../secret", "Escape"),
        (b"a/..", "Escape"),
        (b"/", "Escape"),
        (b"/etc/passwd", "Escape"),
        (b"//etc/passwd", "Escape"),
        (b"a//../..", "Escape"),
        (b".", "NotFound"),
        (b"./index.html", "NotFound"),
        (b"a/./b", "NotFound"),
        (b"a//b", "NotFound"),
        (b"a/", "NotFound"),
        (b"index.html/", "NotFound"),
        (b"index.html\0", "NotFound"),
        (b"index.html\0.png", "NotFound"),
        (b"\0", "NotFound"),
        (&long, "NotFound"),
        (deep.strip_suffix(b"/").unwrap(), "NotFound"),
        (b"fifo", "NotFound"),
        (b"fifo/a", "NotFound"),
        (b"socket", "NotFound"),
    ];
    for links in [Links::Refuse, Links::Within] {
        for jail in tree.jails(links) {
            for (path, expected) in cases {
                let shown = String::from_utf8_lossy(path);
                assert_eq!(told(jail.open(path)), *expected, "{shown:?}, {jail:?}");
            }
        }
    }
}

#[test]
fn links_are_refused_or_kept_within() {
    let tree = Tree::new();
    // (path, Links::Refuse, Links::Within)
    let cases = [
        ("link", "Escape", "index"),
        ("a/up", "Escape", "index"),
        ("folder", "Escape", "folder"),
        ("folder/deep.txt", "Escape", "deep"),
        ("folder/nothing", "Escape", "NotFound"),
        ("dangling", "Escape", "NotFound"),
        ("loop", "NotFound", "NotFound"),
        ("loop/a", "NotFound", "NotFound"),
        ("out", "Escape", "Escape"),
        ("absolute", "Escape", "Escape"),
        ("root", "Escape", "Escape"),
        ("root/etc/passwd", "Escape", "Escape"),
        ("a/out", "Escape", "Escape"),
        ("a/out/secret", "Escape", "Escape"),
        // It comes back, but it was out.
        ("detour", "Escape", "Escape"),
        ("magic", "Escape", "Escape"),
        ("magic/etc/passwd", "Escape", "Escape"),
    ];
    for links in [Links::Refuse, Links::Within] {
        for jail in tree.jails(links) {
            for (path, refused, within) in cases {
                let follows = links == Links::Within && jail.way != Way::Walk;
                // Without openat2, a circle is a link like any other.
                let expected = match (follows, jail.way) {
                    (true, _) => within,
                    (false, Way::Walk) => "Escape",
                    (false, _) => refused,
                };
                assert_eq!(told(jail.open(path.as_bytes())), expected, "{path}, {jail:?}");
            }
        }
    }
}

#[test]
fn the_folder_is_the_same_when_its_name_is_not() {
    let tree = Tree::new();
    for jail in tree.jails(Links::Refuse) {
        let (name, away) = (tree.0.join("in"), tree.0.join("away"));
        fs::rename(&name, &away).unwrap();
        symlink("/etc", &name).unwrap();
        assert_eq!(told(jail.open(b"index.html")), "index");
        assert_eq!(told(jail.open(b"passwd")), "NotFound");
        fs::remove_file(&name).unwrap();
        fs::rename(&away, &name).unwrap();
    }
}

#[test]
fn permissions_are_reported_as_such() {
    let tree = Tree::new();
    fs::set_permissions(tree.0.join("in/index.html"), PermissionsExt::from_mode(0o000)).unwrap();
    fs::set_permissions(tree.0.join("in/a"), PermissionsExt::from_mode(0o000)).unwrap();
    for jail in tree.jails(Links::Refuse) {
        assert!(matches!(jail.classify(Errno::ACCESS), OpenError::Denied));
        // The superuser is not stopped by permissions.
        if !rustix::process::geteuid().is_root() {
            assert_eq!(told(jail.open(b"index.html")), "Denied");
            assert_eq!(told(jail.open(b"a/b/deep.txt")), "Denied");
        }
    }
    fs::set_permissions(tree.0.join("in/a"), PermissionsExt::from_mode(0o700)).unwrap();
}

#[test]
fn what_is_no_fault_of_the_path_is_reported_as_it_is() {
    let tree = Tree::new();
    for jail in tree.jails(Links::Within) {
        for error in [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::IO] {
            let told = jail.classify(error);
            let raw = error.raw_os_error();
            assert!(matches!(told, OpenError::Other(error) if error.raw_os_error() == Some(raw)));
        }
    }
}

#[test]
fn a_cached_opening_gives_the_same_or_would_block() {
    let tree = Tree::new();
    for jail in tree.jails(Links::Refuse) {
        for path in ["index.html", "a/b/deep.txt", "nothing", "out", "../secret", "fifo", ""] {
            let full = told(jail.open(path.as_bytes()));
            let cached = told(jail.open_cached(path.as_bytes()));
            assert!(cached == full || cached == "WouldBlock", "{path}: {cached}");
            if jail.way == Way::Walk && full != "Escape" {
                assert_eq!(cached, "WouldBlock");
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn reading_leaves_the_time_of_access() {
    use std::fs::FileTimes;
    use std::time::{Duration, UNIX_EPOCH};
    let tree = Tree::new();
    let jail = Jail::new(tree.0.join("in"), Links::Refuse).unwrap();
    let path = tree.0.join("in/index.html");
    // Before its last change: every system that notes times would note this one.
    let before = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let file = File::options().write(true).open(&path).unwrap();
    file.set_times(FileTimes::new().set_accessed(before)).unwrap();
    told(jail.open(b"index.html"));
    told(jail.open_cached(b"index.html"));
    assert_eq!(fs::metadata(&path).unwrap().accessed().unwrap(), before);
}

#[test]
fn a_jail_must_be_a_folder() {
    let tree = Tree::new();
    for name in ["nothing", "in/index.html", "in/fifo"] {
        assert!(Jail::new(tree.0.join(name), Links::Refuse).is_err(), "{name}");
    }
}
