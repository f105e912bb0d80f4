use super::super::tests::Tree;
use super::*;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

/// Names and what a look at them gave, in the order of names.
fn read(folder: &mut Entries) -> BTreeMap<Vec<u8>, Option<Entry>> {
    let mut found = BTreeMap::new();
    while folder.advance().unwrap() {
        let old = found.insert(folder.name().to_vec(), folder.look());
        assert!(old.is_none(), "{} came twice", folder.name().escape_ascii());
    }
    assert!(!folder.advance().unwrap(), "the end is the end");
    assert!(folder.name().is_empty());
    found
}

#[test]
fn entries_are_files_and_folders_and_links_as_allowed() {
    let tree = Tree::new();
    // (name, what it is with Links::Refuse, with Links::Within)
    let cases: &[(&[u8], Option<Kind>, Option<Kind>)] = &[
        (b"index.html", Some(Kind::File), Some(Kind::File)),
        (b"\xFF\xFE", Some(Kind::File), Some(Kind::File)),
        (b"new\nline", Some(Kind::File), Some(Kind::File)),
        (b"...", Some(Kind::File), Some(Kind::File)),
        (b"a", Some(Kind::Folder), Some(Kind::Folder)),
        (b"link", None, Some(Kind::File)),
        (b"folder", None, Some(Kind::Folder)),
        (b"out", None, None),
        (b"absolute", None, None),
        (b"root", None, None),
        (b"detour", None, None),
        (b"loop", None, None),
        (b"dangling", None, None),
        (b"magic", None, None),
        (b"fifo", None, None),
        (b"socket", None, None),
    ];
    for links in [Links::Refuse, Links::Within] {
        for jail in tree.jails(links).into_iter().map(Arc::new) {
            let found = read(&mut Entries::open(&jail, b"").unwrap());
            for (name, refused, within) in cases {
                let follows = links == Links::Within && jail.way != super::super::Way::Walk;
                let expected = if follows { within } else { refused };
                let shown = name.escape_ascii();
                let entry = found.get(*name).unwrap_or_else(|| panic!("{shown} is missing"));
                assert_eq!(entry.map(|it| it.kind), *expected, "{shown}, {jail:?}");
            }
            assert!(!found.contains_key(&b"."[..]) && !found.contains_key(&b".."[..]));
            let index = found.get(&b"index.html"[..]).unwrap().unwrap();
            assert_eq!(index.size, 5);
            assert!(index.modified > 1_700_000_000);
        }
    }
}

#[test]
fn a_link_is_resolved_from_its_own_folder() {
    let tree = Tree::new();
    for jail in tree.jails(Links::Within).into_iter().map(Arc::new) {
        let found = read(&mut Entries::open(&jail, b"a").unwrap());
        let up = found.get(&b"up"[..]).unwrap();
        let follows = jail.way != super::super::Way::Walk;
        assert_eq!(up.map(|it| (it.kind, it.size)), follows.then_some((Kind::File, 5)));
        assert_eq!(found.get(&b"out"[..]), Some(&None));
    }
}

#[test]
fn what_is_no_folder_is_told_as_by_open() {
    let tree = Tree::new();
    for links in [Links::Refuse, Links::Within] {
        for jail in tree.jails(links).into_iter().map(Arc::new) {
            for (path, expected) in [
                ("index.html", "NotFound"),
                ("fifo", "NotFound"),
                ("nothing", "NotFound"),
                ("a/", "NotFound"),
                ("..", "Escape"),
                ("out", "Escape"),
                ("root", "Escape"),
            ] {
                let told =
                    Entries::open(&jail, path.as_bytes()).map_err(|error| format!("{error:?}"));
                assert_eq!(told.err().as_deref(), Some(expected), "{path}, {jail:?}");
            }
        }
    }
}

/// Many batches, with names of every length.
#[test]
fn each_entry_comes_once_and_memory_is_one_batch() {
    let tree = Tree::new();
    let base = tree.0.join("in/many");
    fs::create_dir(&base).unwrap();
    let mut expected = Vec::new();
    for number in 0..3_000_usize {
        let mut name = format!("{number}-").into_bytes();
        name.resize(name.len() + number % 249, b'x');
        fs::write(base.join(OsStr::from_bytes(&name)), "").unwrap();
        expected.push(name);
    }
    expected.sort();
    for jail in tree.jails(Links::Refuse).into_iter().map(Arc::new) {
        let mut folder = Entries::open(&jail, b"many").unwrap();
        let (mut names, mut held) = (Vec::new(), 0);
        while folder.advance().unwrap() {
            names.push(folder.name().to_vec());
            held = held.max(folder.batch.capacity());
        }
        names.sort();
        assert_eq!(names.len(), expected.len());
        assert!(names == expected);
        if cfg!(target_os = "linux") {
            assert!(held <= 16 * 1024, "{held} bytes");
        }
    }
}

#[test]
fn a_folder_that_vanishes_ends() {
    let tree = Tree::new();
    for jail in tree.jails(Links::Refuse).into_iter().map(Arc::new) {
        let base = tree.0.join("in/short-lived");
        fs::create_dir(&base).unwrap();
        fs::write(base.join("file"), "").unwrap();
        let mut folder = Entries::open(&jail, b"short-lived").unwrap();
        let mut late = Entries::open(&jail, b"short-lived").unwrap();
        assert!(late.advance().unwrap());
        fs::remove_dir_all(&base).unwrap();
        assert!(!folder.advance().unwrap());
        while late.advance().unwrap() {}
        assert!(matches!(Entries::open(&jail, b"short-lived"), Err(OpenError::NotFound)));
    }
}
