//! Files that change while they are asked for, and a disk that is slow.

use crate::common::{Tree, get, serve};
use crate::support::{Client, Gate, until};
use onepoll::files::Uploads;
use std::fs;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Content of that length that tells its version in each of its words.
fn version(n: u64, len: usize) -> Vec<u8> {
    let words = std::iter::repeat_n(n.to_le_bytes(), len.div_ceil(8));
    let mut content: Vec<u8> = words.flatten().collect();
    content.truncate(len);
    content
}

/// Which version this is; there is no word of another in it.
#[track_caller]
fn version_of(content: &[u8]) -> u64 {
    let first = content.first_chunk().expect("content that is not empty");
    let n = u64::from_le_bytes(*first);
    assert_eq!(version(n, content.len()), content, "a mixture of versions");
    n
}

#[test]
fn downloads_are_of_one_version_while_files_are_replaced() {
    const ROUNDS: u64 = 300;
    for (base, fresh) in [(3_000, 1000), (3_000, 0), (300_000, 0), (64 * 1024 - 3, 1)] {
        let len = move |n: u64| base + (n % 7) as usize;
        let tree = Arc::new(Tree::empty());
        tree.replace("f", version(1, len(1)));
        let server = serve(tree.files().fresh(Duration::from_millis(fresh)));
        let to = server.local_addr();
        let over = Arc::new(AtomicBool::new(false));
        let writer = std::thread::spawn({
            let (tree, over) = (Arc::clone(&tree), Arc::clone(&over));
            move || {
                for n in 2..=ROUNDS {
                    tree.replace("f", version(n, len(n)));
                }
                over.store(true, Ordering::Release);
            }
        });
        let mut client = Client::connect(to);
        let mut tags = std::collections::HashMap::new();
        let mut last = 0;
        while !over.load(Ordering::Acquire) {
            client.send("GET /f HTTP/1.1\r\nHost: x\r\n\r\n");
            let reply = client.reply().expect(200);
            let n = version_of(&reply.body);
            assert_eq!(reply.body.len(), len(n), "the length of another version");
            // A tag never stands for two versions.
            let tag = reply.get("etag").unwrap().to_owned();
            assert_eq!(*tags.entry(tag).or_insert(n), n);
            assert!(n >= last, "{n} after {last}: back in time");
            last = n;
        }
        writer.join().unwrap();
        // What is there in the end is seen within the freshness.
        until("the last version", || version_of(&get(to, "/f").expect(200).body) == ROUNDS);
    }
}

/// Of the same length, within the same tick of the clock, on the same inode.
#[test]
fn what_is_rewritten_at_once_is_seen() {
    let tree = Tree::empty();
    let server = serve(tree.files().fresh(Duration::ZERO));
    let mut client = Client::connect(server.local_addr());
    for n in 0..200 {
        fs::write(tree.site().join("f"), version(n, 100)).unwrap();
        client.send("GET /f HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(version_of(&client.reply().expect(200).body), n);
    }
}

/// An open file that is rewritten has another tag at once, so that nobody puts
/// together a file of two versions.
#[test]
fn a_range_is_never_of_another_version_than_its_tag() {
    let tree = Tree::empty();
    let server = serve(tree.files().fresh(Duration::from_secs(3600)));
    let mut client = Client::connect(server.local_addr());
    let mut tag = "\"none\"".to_owned();
    for n in 0..100 {
        fs::write(tree.site().join("f"), version(n, 400_000)).unwrap();
        let lines = format!("Host: x\r\nRange: bytes=399992-\r\nIf-Range: {tag}\r\n");
        client.send(format!("GET /f HTTP/1.1\r\n{lines}\r\n"));
        let reply = client.reply().expect(200);
        assert_eq!(version_of(&reply.body), n);
        let new = reply.get("etag").unwrap().to_owned();
        assert_ne!(new, tag);
        tag = new;
    }
}

/// The same of a form that lies beside the file.
#[test]
fn a_sibling_is_never_of_another_version_than_its_tag() {
    let tree = Tree::empty();
    tree.put("f", vec![b'f'; 400_000]);
    let files = tree.files().precompressed(true).fresh(Duration::from_secs(3600));
    let server = serve(files);
    let mut client = Client::connect(server.local_addr());
    let mut tag = "\"none\"".to_owned();
    for n in 0..100 {
        fs::write(tree.site().join("f.gz"), version(n, 400_000)).unwrap();
        let lines = format!("Accept-Encoding: gzip\r\nRange: bytes=399992-\r\nIf-Range: {tag}\r\n");
        client.send(format!("GET /f HTTP/1.1\r\nHost: x\r\n{lines}\r\n"));
        let reply = client.reply().expect(200);
        assert_eq!(version_of(&reply.body), n);
        let new = reply.get("etag").unwrap().to_owned();
        assert_ne!(new, tag);
        tag = new;
    }
}

#[test]
fn what_appears_and_vanishes_is_seen_within_the_freshness() {
    let tree = Tree::empty();
    let server = serve(tree.files().fresh(Duration::from_millis(1)));
    let to = server.local_addr();
    get(to, "/f").expect(404);
    for (path, content) in [("f", vec![1; 10]), ("g", vec![1; 100_000])] {
        let target = format!("/{path}");
        tree.put(path, &content);
        assert_eq!(get(to, &target).expect(200).body, content);
        fs::remove_file(tree.site().join(path)).unwrap();
        until("a file to vanish", || get(to, &target).status == 404);
        // A folder of that name.
        tree.put(&format!("{path}/index.html"), "folder");
        until("a folder", || get(to, &target).status == 308);
        assert_eq!(get(to, &format!("{target}/")).expect(200).text(), "folder");
    }
}

#[test]
fn a_file_that_grows_is_sent_as_long_as_it_was_and_one_that_shrinks_is_cut() {
    let tree = Tree::empty();
    let len = 32 << 20; // more than the sockets hold
    for (shrinks, name) in [(false, "grows"), (true, "shrinks")] {
        tree.put(name, vec![1; len]);
        let server = serve(tree.files());
        let mut client = Client::connect_narrow(server.local_addr());
        client.send(format!("GET /{name} HTTP/1.1\r\nHost: x\r\n\r\n"));
        let head = client.head();
        assert_eq!(head.get("content-length"), Some(len.to_string().as_str()));
        let mut file = fs::OpenOptions::new().append(true).open(tree.site().join(name)).unwrap();
        if shrinks {
            file.set_len(1000).unwrap();
            // What was on its way lay in pages of the file itself, so it may have
            // become zeros. But it never looks whole.
            let (content, _) = client.rest();
            assert!(content.len() < len, "{} bytes", content.len());
        } else {
            file.write_all(&[2; 1000]).unwrap();
            assert!(client.take(len).iter().all(|b| *b == 1));
            client.send(format!("GET /{name} HTTP/1.1\r\nHost: x\r\nRange: bytes=0-0\r\n\r\n"));
            assert_eq!(client.reply().expect(206).body, [1]);
        }
    }
}

/// It would look whole, and be of two versions.
#[test]
fn a_file_that_is_rewritten_in_place_while_it_is_sent_is_cut() {
    let len = 32 << 20; // more than the sockets hold
    for range in ["", "Range: bytes=1-\r\n", "Range: bytes=0-9,100000-\r\n"] {
        let tree = Tree::empty();
        tree.put("f", vec![1; len]);
        let server = serve(tree.files());
        let mut client = Client::connect_narrow(server.local_addr());
        client.send(format!("GET /f HTTP/1.1\r\nHost: x\r\n{range}\r\n"));
        let head = client.head();
        let promised: usize = head.get("content-length").unwrap().parse().unwrap();
        let mut file = fs::OpenOptions::new().write(true).open(tree.site().join("f")).unwrap();
        file.write_all(&vec![2; len]).unwrap();
        let (content, _) = client.rest();
        assert!(content.len() < promised, "{} bytes", content.len());
        // The next one gets the new version.
        assert!(get(server.local_addr(), "/f").expect(200).body.iter().all(|b| *b == 2));
    }
}

#[test]
fn what_was_removed_is_sent_to_its_end() {
    let tree = Tree::empty();
    let len = 32 << 20;
    tree.put("f", vec![1; len]);
    let server = serve(tree.files());
    let mut client = Client::connect_narrow(server.local_addr());
    client.send("GET /f HTTP/1.1\r\nHost: x\r\n\r\n");
    client.head().expect(200);
    fs::remove_file(tree.site().join("f")).unwrap();
    assert!(client.take(len).iter().all(|b| *b == 1));
}

/// Though the old ones are in the cache and fresh.
#[test]
fn what_was_sent_to_the_folder_is_there_at_once() {
    let tree = Tree::empty();
    for name in ["put", "post", "index.html"] {
        tree.put(name, "old");
    }
    let hour = Duration::from_secs(3600);
    let uploads = Uploads::new().overwrite(true);
    let server = serve(tree.files().fresh(hour).upload(uploads));
    let to = server.local_addr();
    for target in ["/put", "/post", "/", "/index.html"] {
        assert_eq!(get(to, target).expect(200).text(), "old");
    }
    for name in ["put", "index.html"] {
        let mut client = Client::connect(to);
        let head = format!("PUT /{name} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n");
        client.send(head).send("new").reply().expect(204);
    }
    let form = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"post\"\r\n\r\n\
                new\r\n--b--\r\n";
    let head = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n\
         Content-Length: {}\r\n\r\n",
        form.len()
    );
    Client::connect(to).send(head).send(form).reply().expect(303);
    for target in ["/put", "/post", "/", "/index.html"] {
        assert_eq!(get(to, target).expect(200).text(), "new", "{target}");
    }
}

/// The loop goes on while every helper is stuck with the disk.
#[test]
fn nobody_else_waits_for_the_disk() {
    let tree = Tree::empty();
    tree.put("small", "small");
    tree.put("large", vec![3; 300_000]);
    tree.put("index.html", "top");
    let gate = Gate::default();
    let files = tree.files().page404("index.html").fresh(Duration::from_secs(3600));
    let at_gate = gate.clone();
    let server = serve(files.before_disk(move || at_gate.wait()));
    let to = server.local_addr();
    let targets = [("/small", 200), ("/large", 200), ("/", 200), ("/none", 404), ("/small", 200)];
    let mut waiting: Vec<Client> = Vec::new();
    for (target, _) in targets {
        let mut client = Client::connect(to);
        client.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
        waiting.push(client);
    }
    gate.expect_entered(1);
    for _ in 0..100 {
        assert_eq!(get(to, "/plaintext").expect(200).text(), "Hello, World!");
    }
    assert!(!gate.is_open() && waiting.iter().all(Client::is_silent));
    gate.open();
    for (mut client, (target, status)) in waiting.into_iter().zip(targets) {
        client.reply().expect(status);
        assert!(gate.is_open(), "{target}");
    }
    // Now all of it is in the cache: no helper is asked any more.
    let entered = gate.entered();
    until("the cache to be filled", || {
        let before = gate.entered();
        get(to, "/small").expect(200);
        get(to, "/large").expect(200);
        gate.entered() == before
    });
    assert!(gate.entered() >= entered);
}
