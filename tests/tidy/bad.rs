//! The checker is checked: each rule is seen to fail on a bad snippet, and to
//! leave its good twin alone.

use super::{check, source::Source};

/// What the checker says about a file of that name, with lines but no names.
#[track_caller]
fn says(name: &str, text: &str, expected: &[&str]) {
    let complaints = check(&Source::new(name, text));
    let prefix = format!("{name}:");
    let short: Vec<&str> =
        complaints.iter().map(|complaint| complaint.strip_prefix(&prefix).unwrap()).collect();
    assert_eq!(short, expected, "\n{name}:\n{text}");
}

#[test]
fn imports_go_down() {
    let up = "3: `proto` imports upwards from `reactor`";
    let sideways = "3: `proto` imports sideways from `route`";
    let cases = [
        ("use crate::reactor::Wheel;", vec![up]),
        ("use crate::route::Tree;", vec![sideways]),
        ("use crate::{http::Body, route};", vec![sideways]),
        ("use crate::{reactor::{a, b as c}, http};", vec![up, up]),
        ("pub(crate) use crate::route as r;", vec![sideways]),
        ("fn f() { crate::route::go() }", vec![sideways]),
        ("fn f() -> Vec<crate::route::Tree> {}", vec![sideways]),
        ("use super::super::route::Tree;", vec![sideways]),
        ("use super::super::http::Body;", vec![]),
        ("use super::state::{self, State};", vec![]),
        ("use crate::Config;", vec!["3: `crate::Config` is no room: import from the room"]),
        ("use crate::http::{Body, Status as S, *};", vec![]),
        ("use crate::{config::Limits, error::Error, stats, proto::fault};", vec![]),
        ("use std::reactor;", vec![]),
        ("// crate::route::go()", vec![]),
        ("/* a /* nested */ crate::route::go() */", vec![]),
        ("const A: &str = \"\\\" crate::route::go()\";", vec![]),
        ("const A: &str = r#\"\" crate::route::go()\"#;", vec![]),
        ("const A: (char, &str) = ('\"', \"crate::route::go()\");", vec![]),
        ("fn f<'a>(a: &'a str) { crate::route::go() }", vec![sideways]),
        ("const A: char = '\\''; use crate::route;", vec![sideways]),
        ("#[cfg(test)]\nmod tests { use crate::route; }\n", vec![]),
        ("#[cfg(test)]\nuse crate::route;\n\n", vec![]),
    ];
    for (line, expected) in cases {
        says("src/proto/head.rs", &format!("//! Purpose.\n\n{line}\n"), &expected);
    }
    let after = "#[cfg(test)]\nmod tests { fn f() {} }\nuse crate::route;";
    says("src/proto/head.rs", after, &[sideways]);
    says("src/proto/head/tests.rs", "use crate::reactor;", &[]);
    says("src/proto/mod.rs", "use super::route;", &["1: `proto` imports sideways from `route`"]);
    says("src/lib.rs", "pub use crate::server::Server;", &[]);
    says("src/main.rs", "use crate::cli;", &[]);
    says("src/cli/mod.rs", "use crate::{app, server, sim};", &[]);
    says("src/config.rs", "use crate::{error::Error, http};", &[]);
    says("src/http/body.rs", "use crate::disk;", &["1: `http` imports upwards from `disk`"]);
    says("src/app/run.rs", "use crate::reactor;", &["1: `app` imports sideways from `reactor`"]);
    says("src/attic.rs", "", &["1: the room `attic` has no floor: add it to FLOORS"]);
}

#[test]
fn pure_rooms_use_no_clock_socket_or_thread() {
    let cases = [
        ("fn f() { Instant::now(); }", "Instant::now"),
        ("fn f() { std::time::SystemTime::now(); }", "std::time::SystemTime::now"),
        ("use std::net::{SocketAddr, TcpStream};", "std::net::TcpStream"),
        ("use std::{io, thread};", "std::thread"),
        ("fn f() { std::thread::spawn(g); }", "std::thread::spawn"),
        ("use mio::Poll;", "mio::Poll"),
    ];
    for (text, path) in cases {
        for room in ["http", "proto", "route", "app"] {
            let expected = format!("1: `{room}` must not use `{path}`");
            says(&format!("src/{room}/a.rs"), text, &[&expected]);
        }
        says("src/reactor/turn.rs", text, &[]);
        says("src/app/a.rs", &format!("#[cfg(test)]\nmod tests {{ {text} }}"), &[]);
    }
    says("src/http/a.rs", "use std::{net::SocketAddr, time::Instant};", &[]);
    says("src/http/a.rs", "fn f() { a.elapsed() }", &["1: `elapsed` reads the clock"]);
    let read = "fn read() { Instant::now() }";
    let other = "fn other() { Instant::now() }";
    says("src/http/exchange.rs", read, &[]);
    says("src/http/exchange.rs", other, &["1: `http` must not use `Instant::now`"]);
    says("src/http/date.rs", read, &["1: `http` must not use `Instant::now`"]);
}

#[test]
fn nothing_is_too_long() {
    says("src/http/a.rs", &"\n".repeat(500), &[]);
    says("src/http/a.rs", &"\n".repeat(501), &["501: 501 lines, 500 are allowed"]);
    says("src/http/a.rs", &"é".repeat(100), &[]);
    says("src/http/a.rs", &"é".repeat(101), &["1: 101 columns, 100 are allowed"]);
    let function = |lines: usize| format!("\nfn f(a: [u8; 3]) {{{}}}\n", "\n".repeat(lines - 1));
    says("src/http/a.rs", &function(70), &[]);
    says("src/http/a.rs", &function(71), &["2: `f` has 71 lines, 70 are allowed"]);
    says("src/http/tests.rs", &function(71), &["2: `f` has 71 lines, 70 are allowed"]);
    let declared = format!("trait T {{ fn f();{}fn g() {{}} }}", "\n".repeat(80));
    says("src/http/a.rs", &declared, &[]);
}

#[test]
fn unwraps_are_excused_or_complained_about() {
    let complaint = "`unwrap` without `// ok: why`";
    let cases = [
        ("fn f() { a.unwrap(); }", vec![1]),
        ("fn f() { a.unwrap(); } // ok: it is there", vec![]),
        ("// ok: it is there,\n// and stays there\nfn f() { a.unwrap(); }", vec![]),
        ("// it is ok: not so\nfn f() { a.unwrap(); }", vec![2]),
        ("// ok: too far away\n\nfn f() { a.unwrap(); }", vec![3]),
        ("fn f() { a\n    .unwrap() }", vec![2]),
        ("fn f() { a.unwrap_or(b).unwrap_err() }", vec![]),
        ("/// a.unwrap()\nfn f() { \"a.unwrap()\" }", vec![]),
        ("#[cfg(test)]\nmod tests {\n fn f() { a.unwrap(); }\n}\nfn g() { b.unwrap() }", vec![5]),
        ("struct A { #[cfg(test)] a: u8 }\nfn f() { a.unwrap() }", vec![2]),
    ];
    for (text, lines) in cases {
        let expected: Vec<String> =
            lines.iter().map(|line: &i32| format!("{line}: {complaint}")).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        says("src/disk/a.rs", text, &expected);
    }
    says("src/disk/a.rs", "fn f() { a.expect(\"b\") }", &["1: `expect` without `// ok: why`"]);
    says("src/disk/a/tests.rs", "fn f() { a.expect(\"b\") }", &[]);
}

#[test]
fn what_must_not_be_there_is_found() {
    says("src/disk/a.rs", "fn f() { unsafe { g() } }", &["1: unsafe"]);
    says("src/disk/a.rs", "#![forbid(unsafe_code)] // unsafe", &[]);
    says("src/disk/a.rs", "fn f() { todo!() }", &["1: `todo!` is left over"]);
    says("src/disk/a.rs", "fn f() { b(); dbg!(a) }", &["1: `dbg!` is left over"]);
    says("src/disk/a.rs", "\n// see /home/me/x", &["2: a path of some machine: /home/"]);
    let here = env!("CARGO_MANIFEST_DIR");
    let text = format!("const A: &str = \"{here}/x\";");
    assert!(!check(&Source::new("src/disk/a.rs", &text)).is_empty());
}
