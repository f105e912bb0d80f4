//! What the library drags along: few packages, and no async runtime.
//!
//! Asks `cargo tree`, without the network. Where that can't tell (no cargo, or
//! packages that were never fetched) it says so and passes, but not in CI.

use std::collections::BTreeSet;
use std::process::Command;

const MANIFEST: &str = include_str!("../Cargo.toml");

/// Packages of the lean library at most, itself included. As many as a reader
/// can look through in an afternoon.
const LEAN_MAX: usize = 10;

/// Async runtimes, the executors and reactors they are made of, and the crates
/// that bring one along. A `*` at the end stands for any rest.
const RUNTIMES: [&str; 21] = [
    "actix-rt",
    "async-executor",
    "async-global-executor",
    "async-io",
    "async-std",
    "compio*",
    "embassy-executor",
    "fuchsia-async",
    "futures",
    "futures-executor",
    "futures-util",
    "glommio",
    "hyper*",
    "may",
    "monoio*",
    "ntex*",
    "pollster",
    "smol*",
    "tokio*",
    "waker-fn",
    "xitca*",
];

/// The names in the tree of normal dependencies; `None` without cargo.
fn tree(features: &[&str]) -> Option<BTreeSet<String>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command
        .args(["tree", "--offline", "--locked", "--edges", "normal", "--prefix", "none"])
        .args(["--format", "{p}", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .args(features);
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => return skip(&format!("cargo can't be run: {error}")),
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() && errors.contains("offline") {
        return skip("some packages are not on this machine; `cargo fetch` gets them");
    }
    assert!(output.status.success(), "{command:?}: {errors}");
    let text = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    // `mio v1.1.0 (*)`: one name can be there in several versions, which are
    // several packages; so both count.
    let packages = text.lines().map(|line| line.split(" (").next().unwrap_or(line).trim());
    let packages: BTreeSet<String> =
        packages.filter(|line| !line.is_empty()).map(str::to_owned).collect();
    assert!(packages.iter().any(|package| name(package) == "onepoll"), "no tree: {text}");
    Some(packages)
}

/// Says so, and is an error where everything is to be run.
fn skip(why: &str) -> Option<BTreeSet<String>> {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    eprintln!("SKIPPED: {why}");
    None
}

fn name(package: &str) -> &str {
    package.split(' ').next().unwrap_or(package)
}

fn is_runtime(package: &str) -> bool {
    RUNTIMES.iter().any(|runtime| match runtime.strip_suffix('*') {
        Some(start) => name(package).starts_with(start),
        None => name(package) == *runtime,
    })
}

#[test]
fn the_lean_library_has_few_packages() {
    let Some(packages) = tree(&["--no-default-features"]) else { return };
    println!("{} packages: {packages:?}", packages.len());
    assert!(packages.len() <= LEAN_MAX, "{} packages: {packages:?}", packages.len());
    for needed in ["log", "mio", "slab"] {
        assert!(packages.iter().any(|p| name(p) == needed), "no {needed}: {packages:?}");
    }
    for unwanted in
        ["bcrypt", "clap", "flate2", "if-addrs", "mime_guess", "regex-lite", "sha2", "signal-hook"]
    {
        assert!(!packages.iter().any(|p| name(p) == unwanted), "{unwanted} is not optional");
    }
}

#[test]
fn no_async_runtime_with_no_features_and_with_all() {
    for features in ["--no-default-features", "--all-features"] {
        let Some(packages) = tree(&[features]) else { return };
        let found: Vec<_> = packages.iter().filter(|package| is_runtime(package)).collect();
        assert!(found.is_empty(), "{features}: {found:?}");
    }
}

/// Features that are asked for by name: what they compile takes longer than all the
/// rest. CI builds them with `--all-features` and runs their tests by name.
const ASKED_FOR: [&str; 4] = ["brotli", "redis", "tls-aws-lc", "zstd"];

/// `cargo test` and `cargo run` are to mean everything else.
#[test]
fn the_default_features_are_all_features() {
    let features = section("[features]");
    let pairs = features.lines().filter(|line| !line.starts_with('#'));
    let names = pairs.filter_map(|line| Some(line.split_once(" = ")?.0));
    // A list of its own, on one line or several.
    let (_, default) = features.split_once("default = [").expect("there are default features");
    let (default, _) = default.split_once(']').expect("the list ends");
    let unasked = |name: &&str| *name != "default" && !ASKED_FOR.contains(name);
    for feature in names.filter(unasked) {
        assert!(default.contains(&format!("\"{feature}\"")), "{feature} is not on by default");
    }
}

/// A package that is its own dev-dependency turns its features on for its
/// tests: the lean library would never be tested lean.
#[test]
fn the_package_is_not_its_own_dependency() {
    for section in ["[dependencies]", "[dev-dependencies]"].map(section) {
        assert!(!section.contains("onepoll"), "{section}");
        assert!(!section.contains("path ="), "{section}");
    }
}

/// A section of the manifest, to the next one.
fn section(head: &str) -> &'static str {
    let (_, rest) = MANIFEST.split_once(&format!("\n{head}\n")).expect("the section is there");
    rest.split("\n[").next().unwrap_or(rest)
}

/// The list above finds what it is for.
#[test]
fn runtimes_are_recognised() {
    for package in ["tokio v1.0.0", "tokio-util v0.7.1", "smol v2.0.0", "hyper v1.0.0"] {
        assert!(is_runtime(package), "{package}");
    }
    for package in ["mio v1.1.0", "log v0.4.0", "smallvec v1.0.0", "mayor v1.0.0"] {
        assert!(!is_runtime(package), "{package}");
    }
}
