//! The house rules, as a test: who may import whom, how long things may be, and
//! what must not be used where.
//!
//! Every file below `src` is cut into tokens, so that comments and texts can't be
//! mistaken for code. Each rule is a function from a [`Source`] to lines of
//! complaint, and is seen to fail on a bad snippet in `bad.rs`.

mod bad;
mod source;

use source::{Function, Source};
use std::fs;
use std::path::{Path, PathBuf};

/// The floors of the house (ARCHITECTURE.md). A room imports from lower floors
/// only, and from itself.
const FLOORS: [&[&str]; 7] = [
    // The ground floor is one room: the vocabulary.
    &["http", "config", "error", "stats", "mutants", "guide"],
    &["proto", "route", "net", "helper", "disk", "codec", "kv"],
    &["reactor", "app"],
    &["files", "forms", "middleware", "session", "handlers", "templates"],
    &["server", "sim", "bench"],
    &["cli"],
    // The root of the binary, which calls `cli`.
    &["main"],
];

/// Rooms that are pure: no socket, no thread, no clock.
const PURE: [&str; 4] = ["http", "proto", "route", "app"];

/// What a pure room must not name; a path matches by its beginning, a `*` at
/// the end matches the rest of a segment.
const IMPURE: [&str; 14] = [
    "Instant::now",
    "std::time::Instant::now",
    "SystemTime::now",
    "std::time::SystemTime::now",
    "std::net::Tcp*",
    "std::net::Udp*",
    "std::os::unix::net",
    "TcpStream",
    "TcpListener",
    "std::thread",
    "thread",
    "mio",
    "rustix::net",
    "rustix::event",
];

/// The one place where the time is read on the ground floor: file and function.
const CLOCK: (&str, &str) = ("src/http/exchange.rs", "read");

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;

#[test]
fn the_house_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    assert!(files.len() > 10, "only {} files were found", files.len());
    files.sort();
    let mut complaints = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).expect("a source file is UTF-8");
        let name = file.strip_prefix(root).expect("it is below the root");
        complaints.extend(check(&Source::new(&name.display().to_string(), &text)));
    }
    let count = complaints.len();
    assert!(count == 0, "{count} complaints:\n  {}\n", complaints.join("\n  "));
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a source folder is readable") {
        let path = entry.expect("a source folder is readable").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}

/// All complaints about a file, as `file:line: what`.
fn check(source: &Source) -> Vec<String> {
    let rules = [imports, purity, lengths, unsafety, unwraps, leftovers, machine_paths];
    let found = rules.iter().flat_map(|rule| rule(source));
    found.map(|(line, what)| format!("{}:{}: {what}", source.name, line + 1)).collect()
}

/// Line (from 0) and what is wrong with it.
type Complaint = (usize, String);

/// No import from the same floor or from above. Tests may import anything, and
/// `lib.rs` re-exports from everywhere.
fn imports(source: &Source) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let own = source.room();
    if own == "lib" {
        return complaints;
    }
    let Some(floor) = floor_of(own) else {
        return vec![(0, format!("the room `{own}` has no floor: add it to FLOORS"))];
    };
    for (line, path) in source.paths() {
        let Some(room) = source.room_of(&path).filter(|room| *room != own) else { continue };
        match floor_of(room) {
            _ if source.is_test(line) => {}
            Some(0) if floor == 0 => {}
            Some(other) if other < floor => {}
            Some(other) if other == floor => {
                complaints.push((line, format!("`{own}` imports sideways from `{room}`")));
            }
            Some(_) => complaints.push((line, format!("`{own}` imports upwards from `{room}`"))),
            None => {
                complaints
                    .push((line, format!("`crate::{room}` is no room: import from the room")));
            }
        }
    }
    complaints
}

fn floor_of(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// No socket, thread or clock in the pure rooms.
fn purity(source: &Source) -> Vec<Complaint> {
    if !PURE.contains(&source.room()) {
        return Vec::new();
    }
    let clock = |line| {
        let read = source.functions.iter().filter(|function| function.name == CLOCK.1);
        source.name == CLOCK.0 && read.into_iter().any(|it| (it.first..=it.last).contains(&line))
    };
    let mut complaints = Vec::new();
    for (line, path) in source.paths() {
        let path = path.join("::");
        let banned = IMPURE.iter().any(|banned| match banned.strip_suffix('*') {
            Some(start) => path.starts_with(start),
            None => path == *banned || path.starts_with(&format!("{banned}::")),
        });
        if banned && !source.is_test(line) && !clock(line) {
            complaints.push((line, format!("`{}` must not use `{path}`", source.room())));
        }
    }
    for line in source.find(&[".", "elapsed", "("]) {
        if !source.is_test(line) {
            complaints.push((line, "`elapsed` reads the clock".to_owned()));
        }
    }
    complaints
}

/// Files, functions and lines are not too long.
fn lengths(source: &Source) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let lines = source.lines.len();
    if lines > FILE_LINES_MAX {
        complaints.push((FILE_LINES_MAX, format!("{lines} lines, {FILE_LINES_MAX} are allowed")));
    }
    for Function { name, first, last } in &source.functions {
        let lines = last - first + 1;
        if lines > FUNCTION_LINES_MAX {
            let what = format!("`{name}` has {lines} lines, {FUNCTION_LINES_MAX} are allowed");
            complaints.push((*first, what));
        }
    }
    for (line, text) in source.lines.iter().enumerate() {
        let columns = text.chars().count();
        if columns > COLUMNS_MAX {
            complaints.push((line, format!("{columns} columns, {COLUMNS_MAX} are allowed")));
        }
    }
    complaints
}

fn unsafety(source: &Source) -> Vec<Complaint> {
    source.find(&["unsafe"]).into_iter().map(|line| (line, "unsafe".to_owned())).collect()
}

/// No `unwrap` or `expect` outside tests without a comment that starts with
/// `// ok:`, on the line or in the comment right above it.
fn unwraps(source: &Source) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for name in ["unwrap", "expect"] {
        for line in source.find(&[".", name, "("]) {
            if !source.is_test(line) && !source.excused(line) {
                complaints.push((line, format!("`{name}` without `// ok: why`")));
            }
        }
    }
    complaints
}

/// Nothing that was meant to be taken out again.
fn leftovers(source: &Source) -> Vec<Complaint> {
    let names = ["todo", "unimplemented", "dbg"];
    let found = names.iter().flat_map(|name| source.find(&[name, "!"]).into_iter().zip([name]));
    found.map(|(line, name)| (line, format!("`{name}!` is left over"))).collect()
}

/// Nothing of the machine that this was written on.
fn machine_paths(source: &Source) -> Vec<Complaint> {
    let mut paths = vec!["/home/".to_owned(), "/root/".to_owned(), "/Users/".to_owned()];
    // Only what can't be mistaken for a path in a URL.
    let long = |path: &String| path.matches('/').count() >= 2;
    paths.extend(Some(env!("CARGO_MANIFEST_DIR").to_owned()).filter(long));
    paths.extend(std::env::var("CARGO_HOME").ok().filter(long));
    let mut complaints = Vec::new();
    for (line, text) in source.lines.iter().enumerate() {
        for path in paths.iter().filter(|path| text.contains(path.as_str())) {
            complaints.push((line, format!("a path of some machine: {path}")));
        }
    }
    complaints
}
