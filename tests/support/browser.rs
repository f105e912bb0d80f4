//! A real browser without a window, led through its debugging pipe.
//!
//! The protocol is the browser's own (Chrome DevTools): messages in JSON with a
//! NUL behind each, on the descriptors 3 and 4. What the tests do is what a
//! person does: clicks by the mouse, at places on the page.

use super::PATIENCE;
use super::json::Json;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// A browser with one page.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Json>,
    profile: PathBuf,
    session: String,
    calls: u32,
    /// What the page complained about, in JSON.
    pub complaints: Vec<String>,
}

/// The names under which it may be installed.
const NAMES: [&str; 6] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome-headless-shell",
    "microsoft-edge",
];

/// The installed browser. `ONEPOLL_BROWSER` names another; if it is set and
/// there is none, that is an error: nothing is skipped where it is to be run.
pub fn installed() -> Option<PathBuf> {
    if let Some(named) = env::var_os("ONEPOLL_BROWSER") {
        assert!(Path::new(&named).is_file(), "ONEPOLL_BROWSER: no {}", named.display());
        return Some(named.into());
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    let mut found = env::split_paths(&folders)
        .flat_map(|folder| NAMES.map(|name| folder.join(name)))
        .filter(|path| path.is_file());
    found.next()
}

impl Browser {
    /// Starts it; `None`, with a word about it, if there is none.
    pub fn start(test: &str) -> Option<Browser> {
        let Some(path) = installed() else {
            eprintln!("SKIPPED: no Chromium is installed; ONEPOLL_BROWSER names one elsewhere");
            return None;
        };
        let profile = env::temp_dir().join(format!("onepoll-{test}-{}", std::process::id()));
        // The shell gives the pipes the numbers that the browser looks for.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", "sh"])
            .arg(path)
            .args(["--headless", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu"])
            // Its own cage needs rights that containers don't have; it sees
            // nothing but our pages.
            .args(["--no-sandbox", "--disable-dev-shm-usage", "--window-size=800,600"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let to = child.stdin.take().expect("it was asked for");
        let mut pipe = BufReader::new(child.stdout.take().expect("it was asked for"));
        let (sender, from) = channel();
        thread::spawn(move || {
            let mut message = Vec::new();
            while pipe.read_until(0, &mut message).is_ok_and(|len| len > 0) {
                message.pop();
                let text = String::from_utf8_lossy(&message);
                if sender.send(Json::read(&text)).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let (session, complaints) = (String::new(), Vec::new());
        let mut browser = Browser { child, to, from, profile, session, calls: 0, complaints };
        browser.attach();
        Some(browser)
    }

    fn attach(&mut self) {
        let page = self.call("Target.createTarget", "{\"url\":\"about:blank\"}");
        let id = quoted(page.get("targetId").text());
        let session =
            self.call("Target.attachToTarget", &format!("{{\"targetId\":{id},\"flatten\":true}}"));
        self.session = session.get("sessionId").text().to_owned();
        for domain in ["Page", "Runtime", "Log", "DOM"] {
            self.call(&format!("{domain}.enable"), "{}");
        }
    }

    /// Calls a method of the protocol; its result.
    #[track_caller]
    pub fn call(&mut self, method: &str, params: &str) -> Json {
        match self.try_call(method, params) {
            Ok(result) => result,
            Err(error) => panic!("{method} {params}: {error:?}"),
        }
    }

    #[track_caller]
    fn try_call(&mut self, method: &str, params: &str) -> Result<Json, Json> {
        self.calls += 1;
        let session = match self.session.as_str() {
            "" => String::new(),
            id => format!("\"sessionId\":{},", quoted(id)),
        };
        let id = self.calls;
        let message =
            format!("{{\"id\":{id},{session}\"method\":\"{method}\",\"params\":{params}}}\0");
        self.to.write_all(message.as_bytes()).expect("the browser listens");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.from.recv_timeout(left);
            let message = message.unwrap_or_else(|error| panic!("{method}: {error}"));
            if message.find("id") == Some(&Json::Number(id.to_string())) {
                return match message.find("error") {
                    Some(error) => Err(error.clone()),
                    None => Ok(message.get("result").clone()),
                };
            }
            let event = message.find("method").map_or("", Json::text);
            let complaints =
                ["Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"];
            if complaints.contains(&event) {
                self.complaints.push(format!("{message:?}"));
            }
        }
    }

    /// The value of an expression in the page; `None` while it has none, as
    /// between two pages.
    #[track_caller]
    pub fn eval(&mut self, expression: &str) -> Option<Json> {
        let params = format!("{{\"expression\":{},\"returnByValue\":true}}", quoted(expression));
        let result = self.try_call("Runtime.evaluate", &params).ok()?;
        if result.find("exceptionDetails").is_some() {
            return None;
        }
        result.get("result").find("value").cloned()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub fn until(&mut self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.eval(expression) != Some(Json::Bool(true)) {
            if Instant::now() > deadline {
                let page = self.eval("location.href + ' ' + document.body.innerText");
                panic!("waited in vain: {expression}; on the page: {page:?}");
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Goes to an address and waits until the page is there.
    #[track_caller]
    pub fn open(&mut self, url: &str) {
        self.call("Page.navigate", &format!("{{\"url\":{}}}", quoted(url)));
        self.until(&format!(
            "location.href == {} && document.readyState == 'complete'",
            quoted(url)
        ));
    }

    /// As on a screen of that size, in points, that is dark or light.
    pub fn screen(&mut self, width: u32, height: u32, scheme: &str) {
        let size = format!(
            "{{\"width\":{width},\"height\":{height},\"deviceScaleFactor\":1,\"mobile\":{}}}",
            width < 600
        );
        self.call("Emulation.setDeviceMetricsOverride", &size);
        let feature = format!("{{\"name\":\"prefers-color-scheme\",\"value\":\"{scheme}\"}}");
        self.call("Emulation.setEmulatedMedia", &format!("{{\"features\":[{feature}]}}"));
    }

    /// Keeps a picture of the whole page, for people, in the folder that
    /// `ONEPOLL_SCREENSHOTS` names; with none, nothing.
    pub fn picture(&mut self, name: &str) {
        let Some(folder) = env::var_os("ONEPOLL_SCREENSHOTS") else { return };
        let params = "{\"captureBeyondViewport\":true}";
        let picture = self.call("Page.captureScreenshot", params);
        let bytes = base64(picture.get("data").text());
        fs::write(Path::new(&folder).join(format!("{name}.png")), bytes).expect("a folder");
    }

    /// Clicks into the middle of the first element of the selector, after
    /// scrolling to it.
    #[track_caller]
    pub fn click(&mut self, selector: &str) {
        let place = self.eval(&format!(
            "(() => {{ const element = document.querySelector({});\
             element.scrollIntoView({{block: 'center', behavior: 'instant'}});\
             const box = element.getClientRects()[0];\
             return Math.round(box.x + box.width / 2) + ' ' + Math.round(box.y + box.height / 2) }})()",
            quoted(selector)
        ));
        let place = place.unwrap_or_else(|| panic!("no {selector} on the page"));
        let (x, y) = place.text().split_once(' ').expect("two numbers");
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let button = if kind == "mouseMoved" { "none" } else { "left" };
            self.call(
                "Input.dispatchMouseEvent",
                &format!(
                    "{{\"type\":\"{kind}\",\"x\":{x},\"y\":{y},\"button\":\"{button}\",\
                     \"clickCount\":1}}"
                ),
            );
        }
    }

    /// Chooses files in the form's field, as the dialogue would.
    #[track_caller]
    pub fn choose(&mut self, selector: &str, files: &[&Path]) {
        let root = self.call("DOM.getDocument", "{}");
        let root = root.get("root").get("nodeId").number();
        let field = self.call(
            "DOM.querySelector",
            &format!("{{\"nodeId\":{root},\"selector\":{}}}", quoted(selector)),
        );
        let field = field.get("nodeId").number();
        let files: Vec<String> =
            files.iter().map(|path| quoted(path.to_str().expect("a path of ours"))).collect();
        let files = files.join(",");
        self.call("DOM.setFileInputFiles", &format!("{{\"nodeId\":{field},\"files\":[{files}]}}"));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    onepoll::app::json::string(&mut out, text);
    out
}

/// What that text stands for (RFC 4648 section 4).
fn base64(text: &str) -> Vec<u8> {
    let (mut out, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => break,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    out
}
