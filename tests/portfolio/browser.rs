//! The site in a headless Chromium: what people do, done in one.
//!
//! Skipped, with a word about it, where no Chromium is installed.

use crate::site::Site;
use crate::support::browser::Browser;
use crate::support::folder::Folder;
use crate::support::json::Json;
use crate::support::{Client, pattern, until};
use onepoll::app::json;
use std::fs;

/// All there is to complain about, but for replies of that status: browsers mention
/// each page that is an error.
fn complaints(browser: &Browser, but: &str) -> Vec<String> {
    let expected = |complaint: &&String| !but.is_empty() && complaint.contains(but);
    browser.complaints.iter().filter(|complaint| !expected(complaint)).cloned().collect()
}

/// Clicks into a field and types.
#[track_caller]
fn type_into(browser: &mut Browser, selector: &str, text: &str) {
    browser.click(selector);
    browser.until(&format!("document.activeElement == document.querySelector('{selector}')"));
    browser.eval("document.activeElement.select()");
    browser.call("Input.insertText", &json::object(|params| params.set("text", text)));
}

fn emulate(browser: &mut Browser, width: u32, scheme: &str) {
    browser.call(
        "Emulation.setDeviceMetricsOverride",
        &format!(
            "{{\"width\":{width},\"height\":800,\"deviceScaleFactor\":1,\"mobile\":{}}}",
            width < 600
        ),
    );
    let feature = format!("{{\"name\":\"prefers-color-scheme\",\"value\":\"{scheme}\"}}");
    browser.call("Emulation.setEmulatedMedia", &format!("{{\"features\":[{feature}]}}"));
}

#[test]
fn visits_rise_and_visitors_are_live() {
    let Some(mut browser) = Browser::start("portfolio-live") else { return };
    let site = Site::start();
    for count in 1..=3 {
        browser.open(&site.url("/"));
        browser.until(&format!("document.querySelector('#visits').textContent == '{count}'"));
    }
    let shows =
        |count: u32| format!("document.querySelector('[data-visitors]').textContent == '{count}'");
    browser.until("document.querySelector('dl').classList.contains('live')");
    browser.until(&shows(1));
    let listen = || {
        let mut client = Client::connect(site.address);
        client.send(format!("GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", site.address));
        client.head().expect(200);
        client
    };
    let (first, second) = (listen(), listen());
    browser.until(&shows(3));
    drop(first);
    browser.until(&shows(2));
    drop(second);
    browser.until(&shows(1));
    // Who goes on to another page is no visitor any more.
    browser.open(&site.url("/contact"));
    let metrics = || site.visitor().get("/metrics").text().to_owned();
    until("nobody is left", || metrics().contains("\nportfolio_visitors 0\n"));
    browser.until("document.readyState == 'complete'");
    assert_eq!(complaints(&browser, ""), [""; 0]);
}

#[test]
fn the_form_shows_its_errors_and_then_thanks() {
    let Some(mut browser) = Browser::start("portfolio-form") else { return };
    let site = Site::start();
    // A page that is still scrolling is not where it was clicked.
    let still = "{\"features\":[{\"name\":\"prefers-reduced-motion\",\"value\":\"reduce\"}]}";
    browser.call("Emulation.setEmulatedMedia", still);
    browser.open(&site.url("/"));
    browser.click("a[href='/contact'].button");
    browser.until("location.pathname == '/contact' && document.readyState == 'complete'");
    let odd = "<b>Ada</b> & \"Söhne\"";
    type_into(&mut browser, "#name", odd);
    type_into(&mut browser, "#email", "nobody");
    browser.click("form button");
    browser.until("document.querySelectorAll('[role=alert] li').length == 2");
    browser.until("document.activeElement.getAttribute('role') == 'alert'");
    browser.until(&format!("document.querySelector('#name').value == '{odd}'"));
    browser.until("document.querySelector('#email').getAttribute('aria-invalid') == 'true'");
    browser.until("document.querySelector('#name').getAttribute('aria-invalid') == null");
    browser.until(
        "document.getElementById(document.querySelector('#message')\
         .getAttribute('aria-describedby')).textContent == 'Please write something.'",
    );
    // The list of errors leads to the fields.
    browser.click("[role=alert] a");
    browser.until("location.hash == '#email'");

    type_into(&mut browser, "#email", "ada@example.org");
    type_into(&mut browser, "#message", "Hello from a browser.\nOn two lines.");
    browser.click("form button");
    browser.until("location.pathname == '/contact/thanks'");
    browser.until(&format!("document.querySelector('h1').textContent == `Thank you, {odd}.`"));
    let messages = site.messages();
    let message = &messages.get("messages").array()[0];
    assert_eq!(message.get("name").text(), odd);
    assert_eq!(message.get("message").text(), "Hello from a browser.\nOn two lines.");
    assert_eq!(complaints(&browser, "status of 422"), [""; 0]);
}

#[test]
fn files_go_up_with_a_bar_and_come_down_the_same() {
    let Some(mut browser) = Browser::start("portfolio-files") else { return };
    let (site, local) = (Site::start(), Folder::new());
    let large = local.0.join("large picture é.bin");
    fs::write(&large, pattern(3_000_000)).expect("writing");
    let slow = |browser: &mut Browser, rate: i64| {
        browser.call("Network.enable", "{}");
        let rates = format!("\"uploadThroughput\":{rate},\"downloadThroughput\":-1");
        let params = format!("{{\"offline\":false,\"latency\":0,{rates}}}");
        browser.call("Network.emulateNetworkConditions", &params);
    };

    // At a rate at which it would take minutes: the bar is there, and so is the way out.
    browser.open(&site.url("/uploads"));
    slow(&mut browser, 20_000);
    browser.choose("#files", &[&large]);
    browser.click("form button");
    browser.until("document.querySelector('progress').getClientRects().length == 1");
    browser.until("document.querySelector('progress').value > 0");
    browser.until("document.querySelector('[data-cancel]').getClientRects().length == 1");
    browser.click("[data-cancel]");
    browser.until("document.querySelector('[role=status]').textContent.startsWith('Cancelled')");
    browser.until("document.querySelector('progress').getClientRects().length == 0");
    assert_eq!(site.uploads(), [""; 0]);

    // What is too much is known before it is sent.
    let too_much = local.0.join("too much");
    fs::File::create(&too_much).and_then(|file| file.set_len(1 << 30)).expect("a sparse file");
    slow(&mut browser, -1);
    browser.choose("#files", &[&large, &too_much]);
    browser.click("form button");
    browser.until("document.querySelector('[role=status]').textContent.startsWith('That is more')");
    browser.choose("#files", &[&large]);
    browser.click("form button");
    browser.until("document.querySelector('p.notice')?.textContent.includes('large picture')");
    browser.until("document.querySelector('td.number').textContent == '3.0 MB'");
    assert!(site.upload("large picture é.bin") == pattern(3_000_000));

    let to = json::object(|params| {
        params.set("behavior", "allow");
        params.set("downloadPath", local.0.join("down").to_str().expect("a path of ours"));
    });
    browser.call("Browser.setDownloadBehavior", &to);
    browser.click("tbody a");
    let down = local.0.join("down/large picture é.bin");
    until("it has come down", || fs::metadata(&down).is_ok_and(|it| it.len() == 3_000_000));
    assert!(fs::read(&down).expect("it is there") == pattern(3_000_000));
    assert_eq!(complaints(&browser, ""), [""; 0]);
}

#[test]
fn it_is_the_same_over_tls() {
    let Some(mut browser) = Browser::start("portfolio-tls") else { return };
    let site = Site::on(Folder::new(), &["--tls-self-signed"]);
    browser.call("Security.setIgnoreCertificateErrors", "{\"ignore\":true}");
    for count in 1..=2 {
        browser.open(&site.url("/"));
        browser.until(&format!("document.querySelector('#visits').textContent == '{count}'"));
    }
    browser.until("document.querySelector('dl').classList.contains('live')");
    browser.until("isSecureContext");
    browser.open(&site.url("/contact"));
    type_into(&mut browser, "#name", "Ada");
    type_into(&mut browser, "#email", "ada@example.org");
    type_into(&mut browser, "#message", "Over an encrypted line.");
    browser.click("form button");
    browser.until("document.querySelector('h1').textContent == 'Thank you, Ada.'");
    assert_eq!(complaints(&browser, ""), [""; 0]);
}

#[test]
fn all_of_it_works_without_scripts() {
    let Some(mut browser) = Browser::start("portfolio-noscript") else { return };
    let (site, local) = (Site::start(), Folder::new());
    browser.call("Emulation.setScriptExecutionDisabled", "{\"value\":true}");
    browser.open(&site.url("/uploads"));
    let file = local.0.join("note.txt");
    fs::write(&file, "by form").expect("writing");
    browser.choose("#files", &[&file]);
    browser.click("form button");
    browser.until("document.querySelector('p.notice')?.textContent == 'Saved: note.txt'");
    assert_eq!(site.upload("note.txt"), b"by form");
    browser.open(&site.url("/contact?name=Ada"));
    type_into(&mut browser, "#email", "ada@example.org");
    type_into(&mut browser, "#message", "Without a single script.");
    browser.click("form button");
    browser.until("document.querySelector('h1').textContent == 'Thank you, Ada.'");
    browser.open(&site.url("/"));
    browser.until("document.querySelector('#visits').textContent == '1'");
    assert_eq!(complaints(&browser, ""), [""; 0]);
}

#[test]
fn it_fits_on_phones_and_into_the_night() {
    let Some(mut browser) = Browser::start("portfolio-looks") else { return };
    let site = Site::start();
    let mut papers = Vec::new();
    for (width, scheme) in [(320, "light"), (390, "dark"), (1280, "light"), (1280, "dark")] {
        emulate(&mut browser, width, scheme);
        for path in ["/", "/contact", "/uploads", "/profile/mara", "/nowhere"] {
            browser.open(&site.url(path));
            // Nothing sticks out at the side.
            browser.until("document.documentElement.scrollWidth <= innerWidth");
        }
        papers.push((scheme, browser.eval("getComputedStyle(document.body).backgroundColor")));
    }
    let of = |wanted: &str| -> Vec<Option<Json>> {
        papers.iter().filter(|(scheme, _)| *scheme == wanted).map(|(_, it)| it.clone()).collect()
    };
    let (light, dark) = (of("light"), of("dark"));
    assert!(light[0] == light[1] && dark[0] == dark[1] && light[0] != dark[0], "{papers:?}");
    assert_eq!(complaints(&browser, "status of 404"), [""; 0]);

    // The first thing that the keyboard reaches leads past everything else.
    browser.open(&site.url("/"));
    for kind in ["keyDown", "keyUp"] {
        let key = format!(
            "{{\"type\":\"{kind}\",\"key\":\"Tab\",\"code\":\"Tab\",\
             \"windowsVirtualKeyCode\":9}}"
        );
        browser.call("Input.dispatchKeyEvent", &key);
    }
    browser.until("document.activeElement.className == 'skip'");
    browser.until("document.activeElement.getClientRects()[0].y >= 0");
}

/// The policy holds, and this file would have noticed a breach of it.
#[test]
fn what_is_injected_is_not_run() {
    let Some(mut browser) = Browser::start("portfolio-csp") else { return };
    let site = Site::start();
    browser.open(&site.url("/"));
    assert_eq!(complaints(&browser, ""), [""; 0]);
    browser.eval(
        "document.body.append(Object.assign(document.createElement('script'), \
         {textContent: 'window.injected = true'}))",
    );
    browser.until("window.injected === undefined");
    until("the browser says so", || {
        browser.eval("1");
        !browser.complaints.is_empty()
    });
    assert!(browser.complaints[0].contains("Content Security Policy"), "{:?}", browser.complaints);
}
