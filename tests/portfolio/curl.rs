//! README's lines with `curl`, each tried, in their order.

use crate::site::Site;
use crate::support::folder::Folder;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// The lines, with what a backslash continues on one.
fn lines() -> Vec<String> {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("`curl` does as well:").expect("it is there");
    let (_, block) = rest.split_once("```sh\n").expect("a block");
    let (block, _) = block.split_once("```").expect("its end");
    block.replace("\\\n", "").lines().map(str::to_owned).collect()
}

#[test]
fn each_line_of_the_readme_works() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no curl");
        return;
    }
    let (site, here) = (Site::start(), Folder::new());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["Cargo.toml", "README.md"] {
        fs::copy(root.join(name), here.0.join(name)).expect("copying");
    }
    let mut token = String::new();
    let mut said = Vec::new();
    for line in lines() {
        let line = line.replace("localhost:8000", &site.address.to_string());
        // It would go on for ever.
        let endless = line.contains("/events");
        let line = if endless { line.replace("curl -N", "curl -N -s -m 1") } else { line };
        let script = format!("token='{token}'\n{line}\nprintf '\n=%s' \"$token\"");
        let mut shell = Command::new("sh");
        let Output { stdout, .. } =
            shell.args(["-c", &script]).current_dir(&here.0).output().expect("a shell");
        let text = String::from_utf8(stdout).expect("text");
        let (text, last) = text.rsplit_once("\n=").expect("the last line");
        token = last.to_owned();
        assert!(!text.contains("Error 4") && !text.contains(" 500 "), "{line}: {text}");
        said.push(text.to_owned());
    }
    let wanted = [
        "id=\"visits\">1<",
        "<h1>ada</h1>",
        "",
        "HTTP/1.1 303 See Other",
        "\"message\":\"Hello, Mara.\"",
        "HTTP/1.1 303 See Other",
        ">Cargo.toml</a>",
        "",
        "\"path\":\"uploads/document-",
        "event: visitors",
        "portfolio_messages 1",
        "ok",
    ];
    assert_eq!(said.len(), wanted.len(), "{said:?}");
    for (said, wanted) in said.iter().zip(wanted) {
        assert!(said.contains(wanted), "{wanted:?}: {said}");
    }
    assert_eq!(here.read("copy.toml"), include_bytes!("../../Cargo.toml"));
}
