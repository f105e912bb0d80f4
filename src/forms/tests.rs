use super::*;
use crate::app::{App, Reject, TestClient};
use crate::http::Request;
use proptest::collection::vec;
use proptest::prelude::*;
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// A folder that is removed in the end.
struct Tree(PathBuf);

impl Tree {
    fn new() -> Tree {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("onepoll-forms-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Tree(path)
    }

    fn count(&self) -> usize {
        fs::read_dir(&self.0).unwrap().count()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Name, file's name if it is one, content.
type Part = (String, Option<String>, Vec<u8>);

/// As browsers write them.
fn quoted(text: &str) -> String {
    text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A").replace('\\', "\\\\")
}

fn written(parts: &[Part]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file, content) in parts {
        let mut head =
            format!("--xyz\r\nContent-Disposition: form-data; name=\"{}\"", quoted(name));
        if let Some(file) = file {
            head += &format!("; filename=\"{}\"", quoted(file));
        }
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--xyz--\r\n");
    body
}

const KIND: &str = "multipart/form-data; boundary=xyz";

fn text() -> impl Strategy<Value = String> {
    // Without `%`, which browsers don't escape and nobody can tell from what they do.
    "[a-zé\"\\\\;= \r\n/.]{0,12}"
}

fn part() -> impl Strategy<Value = Part> {
    // Much of what a delimiter is made of.
    let content =
        vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'-'), Just(b'x'), any::<u8>()], 0..40);
    let field = (text(), Just(None), "[a\r\n-]{0,20}".prop_map(String::into_bytes));
    prop_oneof![field, (text(), text().prop_map(Some), content)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// What is put into a form arrives; what isn't kept leaves nothing.
    #[test]
    fn what_is_sent_arrives(parts in vec(part(), 0..8), keep: bool) {
        let holds = |part: &Part| memchr::memmem::find(&part.2, b"\r\n--xyz").is_some();
        prop_assume!(!parts.iter().any(holds));
        let tree = Tree::new();
        let got: Arc<Mutex<Vec<Part>>> = Arc::default();
        let into = Arc::clone(&got);
        let mut app = App::new();
        UploadForm::into(&tree.0).unwrap().mount(&mut app, "/", move |_: &mut Request, form| {
            let mut into = into.lock().unwrap();
            for (name, value) in form.fields() {
                into.push((name.to_owned(), None, value.as_bytes().to_vec()));
            }
            for file in form.files() {
                let mut content = Vec::new();
                file.reader().read_to_end(&mut content)?;
                assert_eq!(content.len() as u64, file.len());
                into.push((file.field().to_owned(), Some(file.client_name().to_owned()), content));
            }
            if keep {
                assert_eq!(form.keep_all()?.len(), form.files().len());
            }
            Ok::<(), Reject>(())
        });
        let mut client = TestClient::new(app);
        let reply = client.post("/").header("Content-Type", KIND).body(written(&parts)).send();
        prop_assert_eq!(reply.status.code(), 204, "{}", reply.text());
        let chosen = |part: &Part| part.1.as_deref() != Some("");
        let mut wanted: Vec<Part> = parts.into_iter().filter(chosen).collect();
        wanted.sort_by_key(|part| part.1.is_some());
        let files = wanted.iter().filter(|part| part.1.is_some()).count();
        prop_assert_eq!(&*got.lock().unwrap(), &wanted);
        prop_assert_eq!(tree.count(), if keep { files } else { 0 });
    }
}

#[test]
fn fields_are_typed_and_refusals_name_them() {
    let tree = Tree::new();
    let mut app = App::new();
    let handler = |_: &mut Request, form: &UploadedForm| -> Result<String, Reject> {
        let (age, gap) = (form.parse::<u8>("age")?, form.parse_if_any::<u8>("gap")?);
        let all: Vec<_> = form.all("colour").collect();
        let photo = form.need_file("photo")?.name();
        Ok(format!("{age} {gap:?} {} {photo}", all.join("+")))
    };
    UploadForm::into(&tree.0).unwrap().mount(&mut app, "/", handler);
    let mut client = TestClient::new(app);
    let field = |name: &str, value: &str| (name.to_owned(), None, value.as_bytes().to_vec());
    let photo = ("photo".to_owned(), Some("../p.png".to_owned()), b"png".to_vec());
    let colours = [field("colour", "red"), field("gap", " "), field("colour", "blue")];
    let table: [(&[Part], u16, &str); 4] = [
        (&[field("age", " 36 "), photo.clone()], 200, "36 None red+blue p.png"),
        (&[field("age", "old"), photo.clone()], 422, "the field `age` is not valid"),
        (std::slice::from_ref(&photo), 422, "the field `age` is missing"),
        (&[field("age", "36")], 422, "the file `photo` is missing"),
    ];
    for (parts, status, text) in table {
        let body = written(&[parts, &colours].concat());
        let reply = client.post("/").header("Content-Type", KIND).body(body).send();
        assert_eq!(reply.status.code(), status);
        assert!(reply.text().contains(text), "{}", reply.text());
    }
    assert_eq!(tree.count(), 0);
}

#[test]
fn what_was_kept_before_another_failed_is_taken_back() {
    let tree = Tree::new();
    let mut app = App::new();
    UploadForm::into(&tree.0).unwrap().mount(&mut app, "/", |_: &mut Request, form| {
        // The second can't be kept twice.
        form.files().get(1).map(|file| file.keep("mine")).transpose()?;
        form.keep_all().map(|names| names.join(" "))
    });
    let file = |name: &str| (name.to_owned(), Some(name.to_owned()), b"x".to_vec());
    let body = written(&[file("a"), file("b"), file("c")]);
    let mut client = TestClient::new(app);
    let reply = client.post("/").header("Content-Type", KIND).body(body).send();
    assert_eq!(reply.status.code(), 500);
    assert_eq!(tree.count(), 1, "the one that its handler kept itself");
    assert!(tree.0.join("mine").exists());
}
