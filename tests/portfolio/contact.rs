//! The contact form.

use crate::site::{FORM, Site, form};
use crate::support::folder::Folder;
use crate::support::until;
use std::path::Path;

const MESSAGE: &str = "Hello Mara,\r\nthis is <b>me</b>.";

#[test]
fn a_message_is_checked_shown_again_and_saved() {
    let site = Site::start();
    let mut visitor = site.visitor();
    let table = [
        ("", "a@example.org", MESSAGE, "Please tell me your name."),
        ("Ada", "", MESSAGE, "Please leave an address"),
        ("Ada", "nobody", MESSAGE, "does not look like an e-mail address"),
        ("Ada", "a@b@example.org", MESSAGE, "does not look like an e-mail address"),
        ("Ada", "a@localhost", MESSAGE, "does not look like an e-mail address"),
        ("Ada", "a@example.org", "short", "ten characters at least"),
        ("A\u{7}da", "a@example.org", MESSAGE, "one line of text"),
        ("Ada", "a@example.org", "ten charac\u{1b}[31m", "Plain text"),
    ];
    for (name, email, message, why) in table {
        let mut visitor = site.visitor();
        let token = visitor.token("/contact");
        let reply = visitor.post("/contact", FORM, form(&token, name, email, message));
        let reply = reply.expect(422);
        let page = reply.text();
        assert!(page.contains(why), "{why}: {page}");
        assert!(page.contains("role=\"alert\"") && page.contains("aria-invalid=\"true\""));
        assert!(page.contains("<title>Please check: Contact"), "{page}");
        // What was typed is there again, as text.
        assert!(!page.contains("<b>me"), "{page}");
        if message == MESSAGE {
            assert!(page.contains("this is &lt;b&gt;me&lt;&#x2f;b&gt;."), "{page}");
        }
    }
    assert_eq!(site.messages().get("total").number(), 0);
    visitor.write("Ada", "a@example.org", MESSAGE).expect(303);
    let thanks = visitor.get("/contact/thanks").expect(200);
    assert!(thanks.text().contains("Thank you, Ada."), "{}", thanks.text());
}

#[test]
fn what_was_thanked_for_survives_a_kill() {
    let mut site = Site::start();
    for count in 1..=3 {
        let mut visitor = site.visitor();
        let reply = visitor.write("Ada", "secret@example.org", MESSAGE).expect(303);
        site.kill();
        assert_eq!(reply.get("location"), Some("/contact/thanks"));
        site = site.revived();
        let messages = site.messages();
        assert_eq!(messages.get("total").number(), count);
        let newest = &messages.get("messages").array()[0];
        assert_eq!(newest.get("name").text(), "Ada");
        assert_eq!(newest.get("message").text(), "Hello Mara,\nthis is <b>me</b>.");
        assert!(newest.find("email").is_none(), "{newest:?}");
        // The visitor is known as well.
        let mut again = site.visitor();
        again.cookie = visitor.cookie;
        assert!(again.get("/contact/thanks").text().contains("Thank you, Ada."));
    }
}

/// Seen from outside: what a reply says is saved was waited for, each time.
#[test]
fn the_disk_is_waited_for_before_anybody_is_thanked() {
    if !Path::new("/usr/bin/strace").exists() {
        eprintln!("SKIPPED: there is no strace");
        return;
    }
    let folder = Folder::new();
    let trace = folder.0.join("trace");
    let calls = "fsync,fdatasync,write,writev,sendto,sendmsg,read,recvfrom,recvmsg";
    let site = Site::traced(calls, &trace);
    let mut visitor = site.visitor();
    visitor.write("Ada", "a@example.org", MESSAGE).expect(303);
    let token = visitor.token("/uploads");
    visitor.send_files(&token, &[("a", b"content")]).expect(303);
    visitor.post("/upload", "application/json", "{}").expect(201);
    let text = || std::fs::read_to_string(&trace).unwrap_or_default();
    until("the trace", || text().contains("HTTP/1.1 201"));
    // Where a database writes first, a file without a name and the folder of names.
    let table: [(&str, &str, &[&str]); 3] = [
        ("POST /contact ", "HTTP/1.1 303", &["/messages.db-wal>", "/sessions.db-wal>"]),
        ("POST /uploads ", "HTTP/1.1 303", &["/uploads/#", "/uploads>", "/sessions.db-wal>"]),
        ("POST /upload ", "HTTP/1.1 201", &["/uploads/#", "/uploads>"]),
    ];
    let text = text();
    for (asked, replied, wanted) in table {
        let mut waiting: Vec<(&str, &str)> = Vec::new();
        let mut synced: Vec<&str> = Vec::new();
        let mut lines = text.lines().skip_while(|line| !line.contains(asked));
        lines.find(|line| {
            let thread = line.split(' ').next().unwrap_or("");
            if line.contains("sync(") && line.ends_with("= 0") {
                synced.push(line);
            } else if line.contains("sync(") && line.contains("unfinished") {
                waiting.push((thread, line));
            } else if line.contains("sync resumed") && line.ends_with("= 0") {
                let begun = waiting.iter().rposition(|(other, _)| *other == thread);
                synced.extend(begun.map(|at| waiting.remove(at).1));
            }
            line.contains(replied)
        });
        for what in wanted {
            assert!(synced.iter().any(|line| line.contains(what)), "{asked}{what}: {synced:?}");
        }
    }
}

#[test]
fn only_our_own_form_is_taken() {
    let site = Site::start();
    let (mut visitor, mut other) = (site.visitor(), site.visitor());
    let (mine, theirs) = (visitor.token("/contact"), other.token("/contact"));
    assert_ne!(mine, theirs);
    let mut stranger = site.visitor();
    stranger.post("/contact", FORM, form(&mine, "Ada", "a@example.org", MESSAGE)).expect(403);
    visitor.post("/contact", FORM, form(&theirs, "Ada", "a@example.org", MESSAGE)).expect(403);
    visitor.post("/contact", FORM, form("", "Ada", "a@example.org", MESSAGE)).expect(403);
    visitor.post("/contact", "text/plain", "_csrf=a").expect(403);
    assert_eq!(site.messages().get("total").number(), 0);
    visitor.post("/contact", FORM, form(&mine, "Ada", "a@example.org", MESSAGE)).expect(303);
    assert_eq!(site.messages().get("total").number(), 1);
}

#[test]
fn a_flood_of_messages_is_stopped_and_looking_is_free() {
    let site = Site::start();
    let mut visitor = site.visitor();
    let token = visitor.token("/contact");
    let form = form(&token, "Ada", "a@example.org", MESSAGE);
    for _ in 0..10 {
        visitor.post("/contact", FORM, &form).expect(303);
    }
    let refused = visitor.post("/contact", FORM, &form).expect(429);
    let wait: u64 = refused.get("retry-after").expect("a time").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    assert!(refused.text().contains("Error 429"), "{}", refused.text());
    visitor.get("/contact").expect(200);
    assert_eq!(site.messages().get("total").number(), 10);
}

#[test]
fn a_link_may_bring_a_name() {
    let page = Site::start().visitor().get("/contact?name=%22%3E%3Cb%3E").expect(200);
    assert!(page.text().contains("value=\"&quot;&gt;&lt;b&gt;\""), "{}", page.text());
}
