//! What is worth it, and who makes it when.

use super::*;
use crate::disk::{Jail, Links};
use crate::files::options::Options;
use crate::files::serve::{Known, Shelf, Visit};
use crate::http::{Body, Method, Params};
use std::cell::{Cell, RefCell};
use std::path::PathBuf;

#[test]
#[cfg(feature = "gzip")]
fn one_at_a_time() {
    let flag = AtomicBool::new(false);
    let turn = Turn::take(&flag);
    assert!(turn.is_some() && Turn::take(&flag).is_none());
    drop(turn);
    assert!(Turn::take(&flag).is_some());
}

/// A folder with a short and a long text; gone when the test is over.
struct Folder(PathBuf, Site);

const SHORT: usize = 16 * 1024;
const LONG: usize = SHORT + 1;

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("onepoll-variant-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("short.txt"), vec![b'x'; SHORT]).unwrap();
        std::fs::write(path.join("long.txt"), vec![b'x'; LONG]).unwrap();
        let jail = Arc::new(Jail::new(&path, Links::Refuse).unwrap());
        let options = Options { gzip: true, ..Options::default() };
        Folder(path, Site::new(jail, options).0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Keeps one resource, which is always fresh, and counts what it is given.
#[derive(Default)]
struct One {
    resource: RefCell<Option<Arc<Resource>>>,
    puts: Cell<u32>,
    enriched: Cell<u32>,
}

impl Shelf for One {
    fn get(&self, _: &str) -> Known {
        self.resource.borrow().clone().map_or(Known::Nothing, Known::Fresh)
    }

    fn put(&self, _: &str, resource: &Arc<Resource>) {
        self.puts.set(self.puts.get() + 1);
        *self.resource.borrow_mut() = Some(Arc::clone(resource));
    }

    fn enrich(&self, _: &str, resource: &Arc<Resource>) {
        self.enriched.set(self.enriched.get() + 1);
        *self.resource.borrow_mut() = Some(Arc::clone(resource));
    }

    fn renew(&self, _: &str, _: &Arc<Resource>) {}
}

/// The coding of the reply to a try, or that there has to be another.
fn coding(site: &Site, shelf: &One, name: &str, accept: &str, wait: Wait) -> String {
    let mut request = Request::new(Method::GET, &format!("/{name}"));
    let names: Arc<Vec<Box<str>>> = Arc::new(vec!["path".into()]);
    let mut params = Params::new();
    params.name(&names, 0);
    params.push(|text| text.push_str(name));
    request.params = params;
    request.headers_mut().add("Accept-Encoding", accept).unwrap();
    match (Visit { site, request: &request, wait, shelf }).answer() {
        Ok(response) => {
            assert!(!matches!(response.body_ref(), Body::Empty));
            assert_eq!(response.get("vary"), Some(&b"Accept-Encoding"[..]));
            let coding = response.get("content-encoding").unwrap_or(b"none");
            String::from_utf8(coding.to_vec()).unwrap()
        }
        Err(stop) => format!("{stop:?}"),
    }
}

#[test]
#[cfg(feature = "gzip")]
fn what_is_made_is_made_once_and_only_if_it_is_wanted() {
    let folder = Folder::new("once");
    for name in ["short.txt", "long.txt"] {
        let shelf = One::default();
        let ask = |accept| coding(&folder.1, &shelf, name, accept, Wait::Allowed);
        assert_eq!(ask("br"), "none");
        assert_eq!((shelf.puts.get(), shelf.enriched.get()), (1, 0), "{name}");
        for _ in 0..3 {
            assert_eq!(ask("gzip"), "gzip");
            assert_eq!(ask(""), "none");
        }
        assert_eq!((shelf.puts.get(), shelf.enriched.get()), (1, 1), "{name}");
    }
}

#[test]
#[cfg(feature = "gzip")]
fn the_loop_makes_short_ones_and_leaves_the_others_to_helpers() {
    let folder = Folder::new("loop");
    for (name, expected) in [("short.txt", "gzip"), ("long.txt", "Wait")] {
        let shelf = One::default();
        // Loaded by a helper, as a file system may not say what is in memory.
        assert_eq!(coding(&folder.1, &shelf, name, "", Wait::Allowed), "none");
        assert_eq!(coding(&folder.1, &shelf, name, "", Wait::Never), "none");
        assert_eq!(coding(&folder.1, &shelf, name, "gzip", Wait::Never), expected, "{name}");
    }
}

#[test]
#[cfg(feature = "gzip")]
fn while_one_makes_it_the_others_get_the_file_as_it_is() {
    let folder = Folder::new("while");
    let shelf = One::default();
    let ask = |wait| coding(&folder.1, &shelf, "long.txt", "gzip", wait);
    assert_eq!(coding(&folder.1, &shelf, "long.txt", "", Wait::Allowed), "none");
    let resource = shelf.resource.borrow().clone().unwrap();
    let Zip::Due(flag) = &resource.others.zip else { panic!("{:?}", resource.others) };
    let turn = Turn::take(flag);
    assert_eq!((ask(Wait::Never), ask(Wait::Allowed)), ("none".to_owned(), "none".to_owned()));
    drop(turn);
    assert_eq!((ask(Wait::Never), ask(Wait::Allowed)), ("Wait".to_owned(), "gzip".to_owned()));
    assert_eq!(ask(Wait::Never), "gzip");
}

#[test]
fn siblings_that_come_change_or_go_are_seen_where_the_file_is_the_same() {
    let mut folder = Folder::new("same");
    folder.1.options.precompressed = true;
    let sibling = |end: &str| folder.0.join(format!("short.txt{end}"));
    let (site, shelf) = (&folder.1, One::default());
    let load = || {
        shelf.resource.take();
        coding(site, &shelf, "short.txt", "", Wait::Allowed);
        shelf.resource.borrow().clone().unwrap()
    };
    let same = |resource: &Resource| is_same(site, resource, Wait::Allowed).unwrap();
    let alone = load();
    assert!(same(&alone));
    for end in [".br", ".zst", ".gz"] {
        let before = load();
        std::fs::write(sibling(end), "one").unwrap();
        assert!(!same(&before), "{end} came");
        let with = load();
        assert!(same(&with), "{end} is there");
        std::fs::write(sibling(end), "another").unwrap();
        assert!(!same(&with), "{end} changed");
        let with = load();
        std::fs::remove_file(sibling(end)).unwrap();
        assert!(!same(&with), "{end} went");
        assert!(same(&before));
    }
}
