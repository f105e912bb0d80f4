//! What people do with a folder in their browser, done in one.
//!
//! Skipped, with a word about it, where no Chromium is installed.
#![cfg(feature = "files")]

mod support;

use onepoll::files::{Files, Uploads};
use onepoll::server::Background;
use onepoll::{App, Server};
use std::fs;
use std::path::PathBuf;
use support::browser::Browser;
use support::json::Json;

/// A folder that is gone when the test is over, and a server of it.
struct Served {
    base: PathBuf,
    server: Background,
}

impl Served {
    fn new(name: &str, options: impl FnOnce(Files) -> Files + Send + 'static) -> Served {
        let base = std::env::temp_dir().join(format!("onepoll-{name}-{}", std::process::id()));
        fs::create_dir_all(base.join("shared/sub & more")).expect("a folder");
        let path = base.join("shared");
        let server = Server::bind("127.0.0.1:0").expect("a free port").spawn(move || {
            let mut app = App::new();
            let files = Files::new(&path).expect("the folder is there").listing(true);
            options(files).mount(&mut app, "/");
            app
        });
        Served { base, server: server.expect("a server that starts") }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.local_addr())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.base);
    }
}

/// The names in the table, with a comma behind each.
const NAMES: &str =
    "[...document.querySelectorAll('tbody a')].map(a => a.textContent + ',').join('')";

#[test]
fn a_listing_is_opened_sorted_and_followed() {
    let Some(mut browser) = Browser::start("browser-listing") else { return };
    let served = Served::new("browser-listed", |files| files);
    let shared = served.base.join("shared");
    fs::write(shared.join("file 10.txt"), "ten").expect("writing");
    fs::write(shared.join("file 9.txt"), "nine, which is longer").expect("writing");
    let odd = "<img src=x onerror=\"document.title='run'\">'&#?%41.txt";
    fs::write(shared.join(odd), "odd").expect("writing");
    fs::write(shared.join("sub & more").join("deep.txt"), "deep").expect("writing");

    browser.open(&served.url("/"));
    let names = browser.eval(NAMES);
    let expected = format!("sub & more/,{odd},file 9.txt,file 10.txt,");
    assert_eq!(names, Some(Json::Text(expected)));
    // The style has been let in, and nothing was run.
    browser.until("getComputedStyle(document.querySelector('table')).borderCollapse == 'collapse'");
    browser.until("document.title == 'Index of /'");

    // Sorted by the server: what is clicked is a link.
    browser.click("thead th:nth-child(2) a");
    browser.until("location.search == '?sort=size&order=desc'");
    browser.until(&format!("{NAMES} == `sub & more/,file 9.txt,{odd},file 10.txt,`"));
    browser.until("document.querySelector('[aria-sort=descending]').textContent == 'Size'");

    // Down, which keeps the order, and up.
    browser.click("tbody tr:first-child a");
    browser.until("location.pathname == '/sub%20&%20more/'");
    browser.until(&format!("location.search == '?sort=size&order=desc' && {NAMES} == 'deep.txt,'"));
    browser.click("nav a");
    browser.until("location.pathname == '/' && location.search == '?sort=size&order=desc'");

    // The oddest link leads to its file.
    browser.until("document.querySelectorAll('tbody a').length == 4");
    browser.click("tbody tr:nth-child(3) a");
    browser.until("document.body.innerText == 'odd'");
    assert_eq!(browser.complaints, [""; 0]);
}

#[test]
fn files_are_sent_by_the_form_of_a_listing() {
    let Some(mut browser) = Browser::start("browser-upload") else { return };
    let served = Served::new("browser-uploads", |files| files.upload(Uploads::new()));
    let odd = "odd \"name\" 100%; é.txt";
    let (first, second) = (served.base.join("large"), served.base.join(odd));
    let large: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
    fs::write(&first, &large).expect("writing");
    fs::write(&second, "odd").expect("writing");

    browser.open(&served.url("/sub%20&%20more/"));
    browser.choose("input[type=file]", &[&first, &second]);
    browser.click("form button");
    browser.until(&format!("{NAMES}.includes('large') && {NAMES}.includes(`{odd}`)"));
    browser.until("location.pathname == '/sub%20&%20more/'");
    let folder = served.base.join("shared/sub & more");
    assert!(fs::read(folder.join("large")).expect("it was saved") == large);
    assert_eq!(fs::read(folder.join(odd)).expect("it was saved"), b"odd");

    // Once more: it is there already, and the browser shows that.
    browser.choose("input[type=file]", &[&second, &first]);
    browser.click("form button");
    browser.until("document.body.innerText.includes('409')");
    assert_eq!(fs::read_dir(&folder).expect("the folder").count(), 2);

    // What was sent leads to the file.
    browser.open(&served.url("/sub%20&%20more/"));
    browser.click("tbody tr:last-child a");
    browser.until("document.body.innerText == 'odd'");

    // Another site's page sends a form to us, and is refused.
    let other = Served::new("browser-other", |files| files);
    let page = format!(
        "<form method=post enctype=multipart/form-data action='{}'>\
         <input type=file name=f><button>Send</button></form>",
        served.url("/")
    );
    fs::write(other.base.join("shared/page.html"), page).expect("writing");
    browser.open(&other.url("/page.html"));
    browser.choose("input[type=file]", &[&second]);
    browser.click("button");
    browser.until("document.body.innerText.includes('403')");
    assert!(!served.base.join("shared").join(odd).exists());
}
