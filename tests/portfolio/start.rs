//! The command line, the beginning and the end.

use crate::site::{Site, command};
use crate::support::folder::Folder;
use crate::support::{Client, expect_pattern, pattern};
use std::fs;
use std::process::Output;

fn run(data: &Folder, args: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command(data, args).output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn what_is_wrong_with_the_flags_is_one_line() {
    let folder = Folder::new();
    for (args, why) in [
        (&["--prot", "1"][..], "there is no `--prot`"),
        (&["extra"], "there is no `extra`"),
        (&["--port"], "--port needs a value"),
        (&["--port", "70000"], "--port 70000: a port is a number from 0 to 65535"),
        (&["--port=x"], "--port x: a port is"),
        (&["--data="], "--data needs a value"),
        (&["--tls-self-signed=yes"], "there is no `--tls-self-signed=yes`"),
    ] {
        let (code, out, err) = run(&folder, args);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{args:?}: {err}");
        assert!(err.starts_with(&format!("portfolio: {why}")), "{args:?}: {err}");
        assert_eq!(err.lines().count(), 1, "{err}");
    }
    let (code, out, _) = run(&folder, &["--help"]);
    assert_eq!(code, Some(0));
    for flag in
        ["--port", "--host", "--data", "--name", "--tls-self-signed", "--templates", "[8000]"]
    {
        assert!(out.contains(flag), "{flag}: {out}");
    }
}

#[test]
fn what_keeps_it_from_starting_is_one_line() {
    let folder = Folder::new();
    fs::write(folder.0.join("file"), "in the way").expect("writing");
    fs::write(folder.0.join("sessions.db"), "no database, but longer than nothing")
        .expect("writing");
    fs::create_dir(folder.0.join("templates")).expect("a folder");
    fs::write(folder.0.join("templates/bad.html"), "\n{% if %}").expect("writing");
    let path = |name: &str| folder.0.join(name).display().to_string();
    let site = Site::start();
    let port = site.address.port().to_string();
    let (file, templates) = (path("file"), path("templates"));
    for (args, why) in [
        (vec!["--port", &port], "the address is in use by another program"),
        (vec!["--data", &file], "File exists"),
        (vec![], "sessions.db: "),
        (vec!["--host", "203.0.113.7"], "this machine has no such address"),
        (vec!["--data", "/proc/none"], "/proc/none: "),
        (vec!["--data", &path("data"), "--templates", &templates], "bad.html:2: syntax error"),
        (vec!["--data", &path("data"), "--name", "a b"], "`a b` is no host"),
    ] {
        let (code, out, err) = run(&folder, &args);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{args:?}: {err}");
        assert!(err.starts_with("portfolio: ") && err.contains(why), "{args:?}: {err}");
        assert_eq!(err.lines().count(), 1, "{err}");
    }
}

#[test]
fn what_is_private_is_nobody_else_s() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::start();
    for name in ["messages.db", "messages.db-wal", "sessions.db"] {
        let metadata = fs::metadata(site.data.0.join(name)).expect("it is there");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn over_tls_it_is_the_same_site_and_its_cookie_stays_there() {
    let args = ["--tls-self-signed", "--name", "mara.example", "--name", "other.example:8443"];
    let site = Site::on(Folder::new(), &args);
    let mut visitor = site.visitor();
    let home = visitor.get("/").expect(200);
    let cookie = home.get("set-cookie").expect("a session");
    assert!(cookie.contains("; Secure"), "{cookie}");
    assert!(visitor.get("/").text().contains("id=\"visits\">2<"));
    visitor.write("Ada", "a@example.org", "over an encrypted line").expect(303);
    let token = visitor.token("/uploads");
    visitor.send_files(&token, &[("a", &pattern(300_000))]).expect(303);
    expect_pattern(&visitor.get("/uploads/a").expect(200).body, 300_000);
    // Its certificate is for all that it answers to.
    let mut client = visitor.client();
    let certificate = client.session().certificate();
    for name in ["localhost", "mara.example", "other.example"] {
        assert!(certificate.windows(name.len()).any(|it| it == name.as_bytes()), "{name}");
    }
    // Who forgets the s is told.
    let mut plain = Client::plain(std::net::TcpStream::connect(site.address).expect("it listens"));
    plain.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(plain.reply().expect(400).text().contains("https"));
    assert_eq!(site.end(), Some(0));
}

#[test]
fn it_ends_when_it_is_asked_to() {
    let site = Site::start();
    site.visitor().get("/").expect(200);
    assert_eq!(site.end(), Some(0));
}

#[test]
fn templates_can_be_worked_on_while_it_runs() {
    let folder = Folder::new();
    let templates = folder.0.join("templates");
    fs::create_dir(&templates).expect("a folder");
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/portfolio/templates");
    for entry in fs::read_dir(own).expect("they are there") {
        let entry = entry.expect("they are there");
        fs::copy(entry.path(), templates.join(entry.file_name())).expect("copying");
    }
    let path = templates.display().to_string();
    let site = Site::on(Folder::new(), &["--templates", &path]);
    let mut visitor = site.visitor();
    let page = visitor.get("/profile/zoe").expect(200);
    assert!(page.text().contains("Profile</p>"));
    fs::write(templates.join("profile.html"), "Now {{ name }} & {{ version }}").expect("writing");
    let page = visitor.get("/profile/zoe").expect(200);
    assert!(page.text().starts_with("Now zoe & "), "{}", page.text());
    fs::write(templates.join("profile.html"), "{{ nmae }}").expect("writing");
    let broken = visitor.get("/profile/zoe").expect(500);
    assert!(!broken.text().contains("nmae") && !broken.text().contains("profile.html"));
}
