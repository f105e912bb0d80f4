use super::*;
use crate::app::{App, TestClient};
use crate::handlers::pages;
use std::fs;

/// A folder that is gone when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("onepoll-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn one(name: &'static str, text: &'static str) -> Templates {
    Templates::embedded([(name, text)]).unwrap()
}

#[test]
fn what_is_printed_is_escaped_by_the_name() {
    let evil = context! { x => "<b> & \"c\" 'd'" };
    for (name, wanted, kind) in [
        ("a.html", "&lt;b&gt; &amp; &quot;c&quot; &#x27;d&#x27;", "text/html; charset=utf-8"),
        ("a.HTML", "&lt;b&gt; &amp; &quot;c&quot; &#x27;d&#x27;", "text/html; charset=utf-8"),
        ("a", "&lt;b&gt; &amp; &quot;c&quot; &#x27;d&#x27;", "text/html; charset=utf-8"),
        ("a.svg", "&lt;b&gt; &amp; &quot;c&quot; &#x27;d&#x27;", "image/svg+xml"),
        ("a.xml", "&lt;b&gt; &amp; &quot;c&quot; &#x27;d&#x27;", "application/xml"),
        ("a.txt", "<b> & \"c\" 'd'", "text/plain; charset=utf-8"),
        ("a.html.txt", "<b> & \"c\" 'd'", "text/plain; charset=utf-8"),
    ] {
        let response = one(name, "{{ x }}").render(name, &evil).unwrap();
        assert_eq!(response.content_type().unwrap().as_str(), kind, "{name}");
        let text = response.body_ref().bytes().unwrap().to_vec();
        assert_eq!(String::from_utf8(text).unwrap(), wanted, "{name}");
    }
    let address = one("a.html", "/?q={{ x|urlencode }}");
    assert_eq!(address.text("a.html", context! { x => "a b&<" }).unwrap(), "/?q=a%20b%26%3C");
    // What is marked as HTML is, and nothing else.
    let marked = one("a.html", "{{ x|safe }}{{ x }}");
    assert_eq!(marked.text("a.html", context! { x => "<" }).unwrap(), "<&lt;");
}

#[test]
fn contexts_are_what_serde_writes() {
    #[derive(Serialize)]
    struct Page<'a> {
        visit_count: u64,
        names: &'a [&'a str],
    }
    let template = one("a.txt", "{{ visit_count }}:{% for n in names %} {{ n }}{% endfor %}.\n");
    let page = Page { visit_count: 7, names: &["Ada", "Bob"] };
    assert_eq!(template.text("a.txt", &page).unwrap(), "7: Ada Bob.\n");
}

#[test]
fn tags_leave_no_blank_lines_and_the_end_stays() {
    let template = one("a.txt", "a\n  {% if true %}\nb\n  {% endif %}\nc\n");
    assert_eq!(template.text("a.txt", context! {}).unwrap(), "a\nb\nc\n");
}

#[test]
fn what_is_not_there_is_an_error_where_it_matters() {
    let failing = ["{{ nmae }}", "{% for x in nmae %}{% endfor %}", "{{ user.a.b }}", "{{ x|no }}"];
    for text in failing {
        let templates = Templates::embedded([("a.html", text)]).unwrap();
        let reject = templates.text("a.html", context! { user => context! {} }).unwrap_err();
        assert_eq!((reject.status().code(), reject.message()), (500, ""), "{text}");
    }
    let asks = "{% if nmae %}a{% else %}b{% endif %}{{ nmae|default('c') }}";
    assert_eq!(one("a.html", asks).text("a.html", context! {}).unwrap(), "bc");
    assert!(one("a.html", "").text("b.html", context! {}).is_err());
}

#[test]
fn errors_at_start_name_file_and_line() {
    let error = Templates::embedded([("a.html", "fine"), ("b.html", "1\n2\n{% if %}\n")]);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("templates b.html:3: syntax error: "), "{error}");

    let folder = Folder::new("templates-start");
    folder.write("good.html", "good");
    folder.write("sub/bad.html", "\n{{ x }");
    let error = Templates::folder(&folder.0).unwrap_err().to_string();
    let wanted = format!("{}:2: syntax error", folder.0.join("sub/bad.html").display());
    assert!(error.contains(&wanted), "{error}");

    let none = Templates::folder(folder.0.join("none")).unwrap_err().to_string();
    assert!(none.ends_with("none: no such folder"), "{none}");
    fs::write(folder.0.join("sub/bad.html"), b"\xff").unwrap();
    let binary = Templates::folder(&folder.0).unwrap_err().to_string();
    assert!(binary.contains("bad.html: ") && binary.contains("UTF-8"), "{binary}");
    fs::write(folder.0.join("sub/bad.html"), vec![b'x'; (1 << 20) + 1]).unwrap();
    let long = Templates::folder(&folder.0).unwrap_err().to_string();
    assert!(long.ends_with("longer than a template may be"), "{long}");
}

#[test]
fn errors_later_name_file_and_line_for_the_log_and_nothing_for_the_client() {
    let templates = Templates::embedded([
        ("base.html", "secret of the house\n{% block body %}{% endblock %}"),
        ("part.html", "\n\n{{ secret.nmae }}"),
        (
            "page.html",
            "{% extends 'base.html' %}\n{% block body %}{% include 'part.html' %}{% endblock %}",
        ),
    ]);
    let templates = templates.unwrap();
    let context = context! { secret => context! { name => "S3CRET" } };
    let environment = Arc::clone(&templates.0.current.read().unwrap());
    let error = environment.get_template("page.html").unwrap().render(&context).unwrap_err();
    let text = explain(Some(Path::new("templates")), &error);
    assert!(text.contains("templates/part.html:3: undefined value"), "{text}");
    assert!(!text.contains("S3CRET"), "{text}");

    let mut app = App::new();
    app.errors(pages);
    app.get("/", move |_: &mut Request| templates.render("page.html", &context));
    let mut client = TestClient::new(app);
    for accept in ["text/html", "application/json", "*/*"] {
        let reply = client.get("/").header("Accept", accept).send();
        assert_eq!(reply.status.code(), 500);
        let text = reply.text();
        assert!(text.contains("500") || text.contains("Internal"), "{text}");
        for leak in ["ecret", "S3CRET", "part.html", "page.html", "undefined", "nmae"] {
            assert!(!text.contains(leak), "{leak}: {text}");
        }
    }
}

#[test]
fn a_folder_is_read_again_when_it_is_asked_for() {
    let folder = Folder::new("templates-reload");
    folder.write("base.html", "<{% block a %}{% endblock %}>");
    folder.write("sub/page.html", "{% extends 'base.html' %}{% block a %}old{% endblock %}");
    folder.write(".page.html.swp", "{{ not a template");
    let templates = Templates::folder(&folder.0).unwrap().global("site", "Nook");
    let client = |reloads: bool| {
        let (templates, mut app) = (templates.clone(), App::new());
        if reloads {
            app.wrap(templates.reload());
        }
        app.get("/", move |_: &mut Request| templates.render("sub/page.html", context! {}));
        TestClient::new(app)
    };
    assert_eq!(client(false).get("/").send().text(), "<old>");
    folder.write("base.html", "[{% block a %}{% endblock %} of {{ site }}]");
    assert_eq!(client(false).get("/").send().text(), "<old>");
    assert_eq!(client(true).get("/").send().text(), "[old of Nook]");
    // The same length, at the same time: it is the text that is compared.
    folder.write("base.html", "({% block a %}{% endblock %} of {{ site }})");
    assert_eq!(client(true).get("/").send().text(), "(old of Nook)");
    // What is broken is missing until it is mended; the others are there.
    folder.write("sub/page.html", "{% extends");
    assert_eq!(client(true).get("/").send().status.code(), 500);
    assert_eq!(templates.text("base.html", context! {}).unwrap(), "( of Nook)");
    folder.write("sub/page.html", "new");
    assert_eq!(client(true).get("/").send().text(), "new");
    fs::remove_file(folder.0.join("sub/page.html")).unwrap();
    assert_eq!(client(true).get("/").send().status.code(), 500);
    // A folder that can't be read leaves them as they were.
    fs::remove_dir_all(&folder.0).unwrap();
    templates.refresh();
    assert_eq!(templates.text("base.html", context! {}).unwrap(), "( of Nook)");
}

#[test]
fn what_is_shared_is_not_set_up_any_more() {
    let templates = one("a.txt", "{{ a|default('none') }}");
    let clone = templates.clone();
    let templates = templates.global("a", 1);
    assert_eq!(templates.text("a.txt", context! {}).unwrap(), "none");
    drop(clone);
    assert_eq!(templates.global("a", 1).text("a.txt", context! {}).unwrap(), "1");
}
