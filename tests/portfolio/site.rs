//! The site as a process, and a visitor who keeps his cookie.

use crate::support::example::binary;
use crate::support::folder::Folder;
use crate::support::json::Json;
use crate::support::{Client, Reply, tls};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running site, and the folder of its data. Both are gone when the test is over.
pub struct Site {
    child: Child,
    pub address: SocketAddr,
    scheme: &'static str,
    pub data: Folder,
}

/// Somebody with a browser.
pub struct Visitor {
    client: Client,
    host: String,
    pub cookie: Option<String>,
    pub accept: &'static str,
}

pub const HTML: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
pub const FORM: &str = "application/x-www-form-urlencoded";

/// The command, with its output where a test can see it.
pub fn command(data: &Folder, args: &[&str]) -> Command {
    let mut command = Command::new(binary("portfolio"));
    command.args(["--port", "0", "--data"]).arg(&data.0).args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Site {
    pub fn start() -> Site {
        Site::on(Folder::new(), &[])
    }

    pub fn on(data: Folder, args: &[&str]) -> Site {
        Site::run(command(&data, args), data)
    }

    /// With all of its system calls of these names written to a file.
    pub fn traced(calls: &str, to: &Path) -> Site {
        let data = Folder::new();
        let site = command(&data, &[]);
        let mut strace = Command::new("strace");
        // `-D`: the site is our child, so that it is the site that is killed in the end.
        strace.args(["-D", "-f", "-y", "-s", "64", "-e", &format!("trace={calls}"), "-o"]);
        strace.arg(to).arg(site.get_program()).args(site.get_args());
        strace.stdin(Stdio::null()).stdout(Stdio::piped());
        Site::run(strace, data)
    }

    fn run(mut command: Command, data: Folder) -> Site {
        let mut child = command.stderr(Stdio::null()).spawn().expect("it runs");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe was asked for"));
        let mut line = String::new();
        output.read_line(&mut line).expect("it says where it is");
        let url = line.trim_end().rsplit(' ').next().unwrap_or("");
        let scheme = if url.starts_with("https:") { "https" } else { "http" };
        let address = url.split("://").last().unwrap_or("").trim_end_matches('/').parse();
        let address = address.unwrap_or_else(|_| panic!("no address in {line:?}"));
        // The log is read and forgotten, as a pipe that is full would hold it up.
        std::thread::spawn(move || output.lines().map_while(Result::ok).count());
        Site { child, address, scheme, data }
    }

    /// Kills the process, and starts another one on what the first has left.
    pub fn killed_and_started_again(mut self) -> Site {
        self.kill();
        self.revived()
    }

    /// Starts another process on what one that was killed has left.
    pub fn revived(mut self) -> Site {
        Site::on(std::mem::replace(&mut self.data, Folder::new()), &[])
    }

    /// As `kill -9` does.
    pub fn kill(&mut self) {
        self.child.kill().expect("it lived");
        self.child.wait().expect("it is gone");
    }

    /// Asks it to end; what it ended with.
    pub fn end(mut self) -> Option<i32> {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("it lives");
        self.child.wait().expect("it ends").code()
    }

    pub fn visitor(&self) -> Visitor {
        let client = match self.scheme {
            "https" => {
                let tcp = TcpStream::connect(self.address).expect("it listens");
                Client::secure(tcp, tls::usual(), "localhost").expect("a handshake")
            }
            _ => Client::connect(self.address),
        };
        Visitor { client, host: self.address.to_string(), cookie: None, accept: HTML }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// The names of the files that were uploaded, sorted.
    pub fn uploads(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.data.0.join("uploads")).expect("a folder");
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries.map(|e| name(e).into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub fn upload(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.data.0.join("uploads").join(name)).expect("it is there")
    }

    /// The messages as the API has them.
    #[track_caller]
    pub fn messages(&self) -> Json {
        Json::read(self.visitor().get("/api/messages").expect(200).text())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Visitor {
    /// The connection, for wishes of one's own.
    pub fn client(self) -> Client {
        self.client
    }

    #[track_caller]
    pub fn get(&mut self, path: &str) -> Reply {
        self.ask("GET", path, &[], b"")
    }

    #[track_caller]
    pub fn post(&mut self, path: &str, kind: &str, body: impl AsRef<[u8]>) -> Reply {
        self.ask("POST", path, &[&format!("Content-Type: {kind}")], body.as_ref())
    }

    #[track_caller]
    pub fn ask(&mut self, method: &str, path: &str, fields: &[&str], body: &[u8]) -> Reply {
        let mut head = format!("{method} {path} HTTP/1.1\r\nAccept: {}\r\n", self.accept);
        if !fields.iter().any(|field| field.starts_with("Host:")) {
            head += &format!("Host: {}\r\n", self.host);
        }
        if let Some(cookie) = &self.cookie {
            head += &format!("Cookie: {cookie}\r\n");
        }
        for field in fields {
            head += &format!("{field}\r\n");
        }
        if !body.is_empty() || method == "POST" {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        self.client.send([head.as_bytes(), b"\r\n", body].concat());
        let reply = self.client.reply_to(method);
        if let Some(cookie) = reply.get("set-cookie") {
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        reply
    }

    /// Asks whether a form may be sent; it is not.
    #[track_caller]
    pub fn ask_first(&mut self, path: &str, fields: &[&str]) -> Reply {
        let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        let head = format!("POST {path} HTTP/1.1\r\nHost: {}\r\n", self.host);
        self.client.send(format!("{head}Accept: {HTML}\r\n{fields}\r\n")).reply()
    }

    /// The token in the form of that page.
    #[track_caller]
    pub fn token(&mut self, path: &str) -> String {
        let page = self.get(path).expect(200);
        between(page.text(), "name=\"_csrf\" value=\"", "\"").to_owned()
    }

    /// Fills in the contact form and sends it.
    #[track_caller]
    pub fn write(&mut self, name: &str, email: &str, message: &str) -> Reply {
        let token = self.token("/contact");
        self.post("/contact", FORM, form(&token, name, email, message))
    }

    /// Sends a form with files.
    #[track_caller]
    pub fn send_files(&mut self, token: &str, files: &[(&str, &[u8])]) -> Reply {
        let body = multipart(token, files);
        self.post("/uploads", "multipart/form-data; boundary=xyz", body)
    }
}

pub fn form(token: &str, name: &str, email: &str, message: &str) -> String {
    let encode = |text: &str| -> String {
        text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>()
    };
    let (name, email, message) = (encode(name), encode(email), encode(message));
    format!("_csrf={token}&name={name}&email={email}&message={message}")
}

pub fn multipart(token: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    let head = "--xyz\r\nContent-Disposition: form-data; name=";
    let mut body = format!("{head}\"_csrf\"\r\n\r\n{token}\r\n").into_bytes();
    for (name, content) in files {
        body.extend(format!("{head}\"files\"; filename=\"{name}\"\r\n\r\n").bytes());
        body.extend_from_slice(content);
        body.extend(b"\r\n");
    }
    body.extend(b"--xyz--\r\n");
    body
}

#[track_caller]
pub fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let rest = text.split_once(start).unwrap_or_else(|| panic!("no {start:?} in {text}")).1;
    rest.split_once(end).unwrap_or_else(|| panic!("no {end:?} in {rest}")).0
}
