use super::*;
use crate::disk::Links;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::{env, fs, process, thread};

/// A folder that is removed in the end.
struct Tree(PathBuf);

impl Tree {
    fn new() -> Tree {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("onepoll-temp-{}-{number}", process::id()));
        fs::create_dir_all(path.join("sub")).unwrap();
        Tree(path)
    }

    fn folder(&self) -> Folder {
        Jail::new(&self.0, Links::Refuse).unwrap().folder(b"").unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name != "sub").collect();
        names.sort();
        names
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A new file in both ways: without a name, if the system has that, and hidden.
fn both(folder: &Folder) -> Vec<TempFile> {
    let (file, name) = folder.hidden().unwrap();
    let hidden = TempFile { folder: folder.clone(), file, name: Name::Hidden(name) };
    let first = folder.create().unwrap();
    assert!(matches!(first.name, Name::None), "this system has files without names");
    vec![first, hidden]
}

#[test]
fn a_file_appears_whole_and_replaces_only_if_told() {
    for way in 0..2 {
        let tree = Tree::new();
        let folder = tree.folder();
        let make = |content: &str| {
            let mut file = both(&folder).swap_remove(way);
            file.write_all(content.as_bytes()).unwrap();
            file
        };
        let mut first = make("first");
        assert_eq!(tree.names().len(), way, "only the hidden one is there");
        assert_eq!(first.place(b"a", Existing::Keep).unwrap(), Placed::Created);
        assert_eq!(tree.names(), ["a"]);
        let mut second = make("second");
        let error = second.place(b"a", Existing::Keep).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(tree.read("a"), "first");
        assert_eq!(second.place(b"a", Existing::Replace).unwrap(), Placed::Replaced);
        assert_eq!(
            second.place(b"b", Existing::Keep).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
        assert_eq!(make("third").place(b"c", Existing::Replace).unwrap(), Placed::Created);
        drop((first, second));
        assert_eq!((tree.names(), tree.read("a")), (vec!["a".into(), "c".into()], "second".into()));
    }
}

#[test]
fn nothing_is_left_of_what_is_not_placed() {
    let tree = Tree::new();
    let folder = tree.folder();
    for way in 0..2 {
        let mut file = both(&folder).swap_remove(way);
        file.write_all(b"gone").unwrap();
        // To replace a folder takes a name for an instant, and fails then.
        let error = file.place(b"sub", Existing::Replace).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
        assert_eq!(tree.names().len(), 1);
        drop(file);
        assert!(tree.names().is_empty());
    }
}

#[test]
fn only_a_name_is_one() {
    let tree = Tree::new();
    let folder = tree.folder();
    let mut file = folder.create().unwrap();
    for name in [&b""[..], b".", b"..", b"a/b", b"/a", b"../a", b"a\0b"] {
        for error in [file.place(name, Existing::Keep).unwrap_err(), folder.find(name).unwrap_err()]
        {
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{}", name.escape_ascii());
        }
    }
    let long = [b'a'; 256];
    assert!(file.place(&long, Existing::Keep).is_err());
    assert_eq!(file.place(b"..\\a", Existing::Keep).unwrap(), Placed::Created);
}

#[test]
fn a_link_is_replaced_and_not_followed() {
    let tree = Tree::new();
    let folder = tree.folder();
    fs::write(tree.0.join("target"), "target").unwrap();
    symlink("target", tree.0.join("link")).unwrap();
    assert!(folder.find(b"link").unwrap().unwrap().is_symlink());
    let mut file = folder.create().unwrap();
    file.write_all(b"new").unwrap();
    assert!(file.place(b"link", Existing::Keep).is_err());
    file.place(b"link", Existing::Replace).unwrap();
    assert_eq!((tree.read("target"), tree.read("link")), ("target".into(), "new".into()));
    assert!(folder.find(b"none").unwrap().is_none());
    assert!(folder.find(b"link").unwrap().unwrap().is_file());
}

#[test]
fn a_sweep_takes_what_nobody_is_writing() {
    let tree = Tree::new();
    let folder = tree.folder();
    for name in [".onepoll-1-0.part", ".onepoll-99-7.part", ".onepoll-1-0.partial", "a.part"] {
        fs::write(tree.0.join(name), "").unwrap();
    }
    symlink("a.part", tree.0.join(".onepoll-1-1.part")).unwrap();
    fs::create_dir(tree.0.join(".onepoll-1-2.part")).unwrap();
    let written = both(&folder);
    let before = tree.names().len();
    assert_eq!(folder.sweep().unwrap(), 2);
    assert_eq!(tree.names().len(), before - 2);
    drop(written);
    let left = [".onepoll-1-0.partial", ".onepoll-1-1.part", ".onepoll-1-2.part", "a.part"];
    assert_eq!(tree.names(), left);
}

#[test]
fn what_was_placed_can_be_taken_back_unless_it_is_another() {
    let tree = Tree::new();
    let folder = tree.folder();
    let mut ours = folder.create().unwrap();
    ours.place(b"a", Existing::Keep).unwrap();
    let mut other = folder.create().unwrap();
    other.place(b"a", Existing::Replace).unwrap();
    assert!(!folder.take_back(b"a", &ours).unwrap());
    assert_eq!(tree.names(), ["a"]);
    assert!(folder.take_back(b"a", &other).unwrap());
    assert!(!folder.take_back(b"a", &other).unwrap());
    assert!(tree.names().is_empty());
}

#[test]
fn of_many_at_once_one_wins() {
    let tree = Tree::new();
    let folder = tree.folder();
    let wins: Vec<bool> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|at| {
                let folder = folder.clone();
                scope.spawn(move || {
                    let mut file = both(&folder).swap_remove(at % 2);
                    file.write_all(&[b'0' + at as u8; 10]).unwrap();
                    file.place(b"a", Existing::Keep).is_ok()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(wins.iter().filter(|won| **won).count(), 1);
    let winner = wins.iter().position(|won| *won).unwrap();
    assert_eq!(tree.read("a"), winner.to_string().repeat(10));
    assert_eq!(tree.names(), ["a"]);
}

#[test]
fn a_file_is_no_folder_and_nobody_gets_out() {
    let tree = Tree::new();
    fs::write(tree.0.join("a"), "").unwrap();
    symlink("/tmp", tree.0.join("out")).unwrap();
    let jail = Jail::new(&tree.0, Links::Refuse).unwrap();
    assert!(jail.folder(b"sub").is_ok());
    assert!(matches!(jail.folder(b"a"), Err(OpenError::NotFound)));
    assert!(matches!(jail.folder(b"none"), Err(OpenError::NotFound)));
    assert!(matches!(jail.folder(b"sub/.."), Err(OpenError::Escape)));
    assert!(matches!(jail.folder(b"out"), Err(OpenError::Escape)));
}
