//! What HTTPS costs the server: CPU time, beside nginx with the same certificate,
//! suite and key exchange, where that is installed.
//!
//! `cargo bench --bench tls`, and `.. --features tls-aws-lc` for the other
//! provider; a number behind `--` is that of rounds. Each server is a process of its
//! own with one thread, and what counts is the time that its threads were on a CPU
//! (`/proc/PID/task/*/schedstat`), not what the client saw. Both take turns within
//! each round; medians are printed, and their ratios.
//!
//! 1. full: connect, a whole handshake (TLS 1.3, X25519, ECDSA P-256), one request.
//! 2. resumed: the same with a ticket.
//! 3. request: one small reply on a connection that stays.
//! 4. GB: a file, AES-256-GCM.
//! 5. idle: memory of a connection that has served a request and waits.

use onepoll::files::Files;
use onepoll::http::{Body, ContentType, Request, Response};
use onepoll::net::tls::rustls;
use onepoll::net::tls::{Tls, TlsFiles};
use onepoll::{App, Config, Server};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

type Failure = Box<dyn std::error::Error>;
type Task = fn(&Peer) -> Result<f64, Failure>;
type Stream = StreamOwned<ClientConnection, TcpStream>;

const ROUNDS: usize = 5;
const HANDSHAKES: usize = 300;
const REQUESTS: usize = 5_000;
const LARGE: usize = 256 << 20;
const IDLE: usize = 1_000;
const CONTENT: &str = "Hello, World!";

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [role, folder] = words.as_slice()
        && role == "serve"
    {
        return serve(Path::new(folder));
    }
    let rounds = words.iter().filter_map(|word| word.parse().ok()).next_back().unwrap_or(ROUNDS);
    let folder = Folder(std::env::temp_dir().join(format!("onepoll-tls-{}", std::process::id())));
    fs::create_dir_all(folder.0.join("root"))?;
    certificate(&folder.0)?;
    fs::write(folder.0.join("root/large"), vec![b'x'; LARGE])?;
    let mut servers = vec![Peer::ours(&folder.0)?];
    match Peer::nginx(&folder.0) {
        Ok(nginx) => servers.push(nginx),
        Err(error) => println!("without nginx: {error}"),
    }
    let provider = if cfg!(feature = "tls-aws-lc") { "aws-lc-rs" } else { "ring" };
    println!("onepoll by {provider}, {rounds} rounds");
    let tasks: [(&str, Task); 4] = [
        ("us per full handshake, with a request", Peer::full),
        ("us per resumed one, with a request", Peer::resumed),
        ("us per small request", Peer::request),
        ("ms per GB", Peer::gigabyte),
    ];
    for (name, task) in tasks {
        let mut costs = vec![Vec::new(); servers.len()];
        for _ in 0..rounds {
            for (server, costs) in servers.iter().zip(&mut costs) {
                costs.push(task(server)?);
            }
        }
        let medians: Vec<f64> = costs.into_iter().map(median).collect();
        report(name, &servers, &medians);
    }
    let idle: Result<Vec<f64>, Failure> = servers.iter().map(Peer::idle).collect();
    report("KiB per idle connection", &servers, &idle?);
    Ok(())
}

fn report(name: &str, servers: &[Peer], costs: &[f64]) {
    print!("{name:<40}");
    for (server, cost) in servers.iter().zip(costs) {
        print!("{:>9} {cost:>8.2}", server.name);
    }
    if let [ours, theirs] = costs {
        print!("   ratio {:.2}", ours / theirs);
    }
    println!();
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Gone when the bench is over.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The server under test, in a process of its own.
fn serve(folder: &Path) -> Result<(), Failure> {
    let config = Config { requests_per_connection: u32::MAX, ..Config::default() };
    let tls: Tls = TlsFiles::new(folder.join("cert.pem"), folder.join("key.pem")).load()?;
    let mut app = App::new();
    app.get("/plaintext", |_: &mut Request| {
        Response::default().content(ContentType::TEXT, Body::Static(CONTENT.as_bytes()))
    });
    app.get("/{*path}", Files::new(folder.join("root"))?.handler());
    let server = Server::bind_tls("127.0.0.1:0", &tls)?.config(config);
    println!("{}", server.local_addr()?);
    io::stdout().flush()?;
    Ok(server.run(app)?)
}

/// Key and certificate for all of them, by what makes them anyway.
fn certificate(folder: &Path) -> Result<(), Failure> {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(folder.join("key.pem"))
        .arg("-out")
        .arg(folder.join("cert.pem"))
        .stderr(Stdio::null())
        .status()?;
    if made.success() { Ok(()) } else { Err("openssl made no certificate".into()) }
}

/// A server's process.
struct Peer {
    name: &'static str,
    child: Child,
    address: SocketAddr,
    fresh: Arc<ClientConfig>,
    resuming: Arc<ClientConfig>,
}

impl Peer {
    fn ours(folder: &Path) -> Result<Peer, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .arg(folder)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no pipe")?).read_line(&mut line)?;
        Peer::new("onepoll", child, line.trim().parse()?, folder)
    }

    fn nginx(folder: &Path) -> Result<Peer, Failure> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let at = folder.display();
        let text = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;
             events {{ worker_connections 8192; }}
             http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;
               keepalive_timeout 600s; default_type text/plain;
               client_body_temp_path {at}/t1; proxy_temp_path {at}/t2; fastcgi_temp_path {at}/t3;
               uwsgi_temp_path {at}/t4; scgi_temp_path {at}/t5;
               ssl_certificate {at}/cert.pem; ssl_certificate_key {at}/key.pem;
               ssl_protocols TLSv1.3; ssl_ecdh_curve X25519; ssl_session_cache shared:s:10m;
               server {{ listen {address} ssl backlog=4096; root {at}/root;
                 location = /plaintext {{ return 200 \"{CONTENT}\"; }} }} }}"
        );
        fs::write(folder.join("nginx.conf"), text)?;
        let mut command = Command::new("nginx");
        command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf"));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Peer::new("nginx", child, address, folder)
    }

    fn new(
        name: &'static str,
        child: Child,
        address: SocketAddr,
        folder: &Path,
    ) -> Result<Peer, Failure> {
        let peer = Peer {
            name,
            child,
            address,
            fresh: config(folder, Resumption::disabled())?,
            resuming: config(folder, Resumption::in_memory_sessions(64))?,
        };
        for _ in 0..500 {
            if TcpStream::connect(address).is_ok() {
                return Ok(peer);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(format!("{name} does not listen").into())
    }

    fn connect(&self, config: &Arc<ClientConfig>) -> Result<Stream, Failure> {
        let tcp = TcpStream::connect(self.address)?;
        tcp.set_nodelay(true)?;
        let session =
            ClientConnection::new(Arc::clone(config), ServerName::try_from("localhost")?)?;
        Ok(StreamOwned::new(session, tcp))
    }

    /// CPU time of its threads so far, in nanoseconds.
    fn cpu(&self) -> Result<f64, Failure> {
        let mut sum = 0.0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            sum += text.split(' ').next().unwrap_or("0").parse::<f64>()?;
        }
        Ok(sum)
    }

    /// Bytes of its own memory that are in RAM.
    fn memory(&self) -> Result<f64, Failure> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        Ok(line.and_then(|l| l.trim().strip_suffix(" kB")).ok_or("no RssAnon")?.parse::<f64>()?)
    }

    /// Microseconds of CPU per each of so many.
    fn cost(
        &self,
        count: usize,
        mut what: impl FnMut() -> Result<(), Failure>,
    ) -> Result<f64, Failure> {
        let before = self.cpu()?;
        for _ in 0..count {
            what()?;
        }
        Ok((self.cpu()? - before) / 1e3 / count as f64)
    }

    fn shake(&self, config: &Arc<ClientConfig>) -> Result<f64, Failure> {
        self.cost(HANDSHAKES, || {
            let mut stream = self.connect(config)?;
            ask(&mut stream, "/plaintext", "Connection: close\r\n")?;
            let mut reply = Vec::new();
            stream.read_to_end(&mut reply)?;
            if reply.ends_with(CONTENT.as_bytes()) { Ok(()) } else { Err("no reply".into()) }
        })
    }

    fn full(&self) -> Result<f64, Failure> {
        self.shake(&self.fresh)
    }

    fn resumed(&self) -> Result<f64, Failure> {
        self.shake(&self.resuming)
    }

    fn request(&self) -> Result<f64, Failure> {
        let mut stream = self.connect(&self.fresh)?;
        small(&mut stream)?;
        self.cost(REQUESTS, || small(&mut stream))
    }

    fn gigabyte(&self) -> Result<f64, Failure> {
        let mut stream = self.connect(&self.fresh)?;
        small(&mut stream)?;
        let mut scratch = vec![0; 256 * 1024];
        let micros = self.cost(1, || {
            ask(&mut stream, "/large", "")?;
            let mut count = 0;
            while count < LARGE {
                count += match stream.read(&mut scratch)? {
                    0 => return Err("a short file".into()),
                    some => some,
                };
            }
            Ok(())
        })?;
        Ok(micros / 1e3 * 1e9 / LARGE as f64)
    }

    /// KiB per connection.
    fn idle(&self) -> Result<f64, Failure> {
        let warm = (0..50).map(|_| self.idler()).collect::<Result<Vec<_>, _>>()?;
        let before = self.memory()?;
        let all = (0..IDLE).map(|_| self.idler()).collect::<Result<Vec<_>, _>>()?;
        let after = self.memory()?;
        drop((warm, all));
        Ok((after - before) / IDLE as f64)
    }

    fn idler(&self) -> Result<Stream, Failure> {
        let mut stream = self.connect(&self.fresh)?;
        small(&mut stream)?;
        Ok(stream)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn config(folder: &Path, resumption: Resumption) -> Result<Arc<ClientConfig>, Failure> {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites = vec![rustls::crypto::ring::cipher_suite::TLS13_AES_256_GCM_SHA384];
    provider.kx_groups = vec![rustls::crypto::ring::kx_group::X25519];
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("cert.pem"))?)?;
    let builder = ClientConfig::builder_with_provider(Arc::new(provider));
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13])?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = resumption;
    Ok(Arc::new(config))
}

fn ask(stream: &mut Stream, path: &str, field: &str) -> io::Result<()> {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{field}\r\n").as_bytes())
}

fn small(stream: &mut Stream) -> Result<(), Failure> {
    ask(stream, "/plaintext", "")?;
    let (mut reply, mut some) = (Vec::new(), [0; 4096]);
    while !reply.ends_with(CONTENT.as_bytes()) {
        match stream.read(&mut some)? {
            0 => return Err("no reply".into()),
            count => reply.extend_from_slice(&some[..count]),
        }
    }
    Ok(())
}
