//! The page of the loop at work: its numbers, over sockets, and itself, in a browser.

mod support;

use onepoll::handlers::{Inside, Metrics};
use onepoll::server::Background;
use onepoll::stats::Close;
use onepoll::{App, Config, Request, Server, after, offload};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use support::browser::Browser;
use support::exposition::Page;
use support::json::Json;
use support::{Client, Framing, Gate, until};

/// A server with the page, the metrics, and handlers of all kinds.
fn serve(gate: &Gate) -> Background {
    let held = gate.clone();
    let config = Config { blame: Some(Duration::from_millis(20)), ..Config::default() };
    let server = Server::bind("127.0.0.1:0").expect("a free port").config(config);
    let server = server.spawn(move || {
        let mut app = App::new();
        Metrics::new().mount(&mut app, "/metrics");
        Inside::new().mount(&mut app, "/inside");
        app.get("/", |_: &mut Request| "Hello, World!");
        app.get("/users/{id}", |_: &mut Request| "somebody");
        app.post("/content", |request: &mut Request| request.body().len().to_string());
        app.get("/later", |_: &mut Request| after(Duration::from_secs(300), || "late"));
        let wait = held.clone();
        let wait = move |_: &mut Request| {
            wait.wait();
            "waited"
        };
        app.get("/wait", offload(wait));
        app.get("/hold", move |_: &mut Request| {
            held.wait();
            "held"
        });
        app.get("/slow", |_: &mut Request| {
            thread::sleep(Duration::from_millis(60));
            "slow"
        });
        app
    });
    server.expect("a server that starts")
}

fn ask(client: &mut Client, path: &str) -> support::Reply {
    client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    client.reply()
}

/// A client that watches.
struct Watcher(Client);

impl Watcher {
    fn new(to: SocketAddr) -> Watcher {
        let mut client = Client::connect(to);
        client.send("GET /inside/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let head = client.head();
        assert_eq!((head.status, head.framing), (200, Framing::Chunked));
        assert_eq!(head.get("content-type"), Some("text/event-stream"));
        Watcher(client)
    }

    /// The next event.
    #[track_caller]
    fn event(&mut self) -> Json {
        let mut size = Vec::new();
        while !size.ends_with(b"\r\n") {
            size.extend(self.0.take(1));
        }
        let digits = String::from_utf8_lossy(&size);
        let len = usize::from_str_radix(digits.trim_end(), 16).expect("a size");
        let chunk = self.0.take(len + 2);
        let text = String::from_utf8(chunk).expect("text");
        let data = text.strip_prefix("data: ").expect("one event in a chunk");
        Json::read(data.strip_suffix("\n\n\r\n").expect("its end"))
    }

    /// The first event of which that is true.
    #[track_caller]
    fn until(&mut self, what: &str, mut is_so: impl FnMut(&Json) -> bool) -> Json {
        let mut event = self.event();
        for _ in 0..80 {
            if is_so(&event) {
                return event;
            }
            event = self.event();
        }
        panic!("waited in vain: {what}: {event:?}")
    }
}

fn state(event: &Json, name: &str) -> u64 {
    event.get("states").get(name).number()
}

#[test]
fn its_counts_are_those_of_the_metrics() {
    let gate = Gate::default();
    let server = serve(&gate);
    let to = server.local_addr();
    let mut watcher = Watcher::new(to);
    // The script: ten that are idle, one that says nothing, ones that wait in all
    // ways, a fault, and three that leave.
    let mut idle: Vec<Client> = (0..10).map(|_| Client::connect(to)).collect();
    for (number, client) in idle.iter_mut().enumerate() {
        for _ in 0..=number {
            ask(client, &format!("/users/{number}")).expect(200);
        }
    }
    let fresh = Client::connect(to);
    let mut others = [(); 4].map(|()| Client::connect(to));
    for (client, text) in others.iter_mut().zip([
        "GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /content HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf",
        "GET / HTTP/1.1\r\nHos",
    ]) {
        client.send(text);
    }
    gate.expect_entered(1);
    let mut faulty = Client::connect(to);
    faulty.send("NO\r\n\r\n").reply().expect(400);
    drop(faulty);
    for _ in 0..3 {
        let mut leaves = Client::connect(to);
        ask(&mut leaves, "/").expect(200);
    }
    let stats = server.handle().stats();
    until("three have left", || stats.closes.of(Close::Peer) == 3 && stats.open.value() == 16);
    let mut client = Client::connect(to);
    let page = Page::read(ask(&mut client, "/metrics").expect(200).text());
    let event = watcher
        .until("all is quiet", |event| state(event, "idle") == 11 && state(event, "head") == 1);
    for (field, series) in [
        ("requests", "onepoll_requests_total"),
        ("accepted", "onepoll_connections_accepted_total"),
        ("open", "onepoll_slab_used"),
        ("slots", "onepoll_slab_capacity"),
        ("faults", "onepoll_faults_total"),
        ("timeouts", "onepoll_timeouts_total"),
        ("bytes_in", "onepoll_received_bytes_total"),
        ("cuts", "onepoll_replies_cut_total"),
        ("refused", "onepoll_connections_refused_total"),
    ] {
        assert_eq!(event.get(field).number() as f64, page.value(series), "{field}");
    }
    for why in Close::ALL {
        let series = format!("onepoll_connections_closed_total{{reason=\"{}\"}}", why.name());
        let count = event.get("closes").get(why.name()).number();
        assert_eq!(count as f64, page.value(&series), "{series}");
    }
    let jobs = event.get("helpers").get("started").number();
    assert_eq!(jobs as f64, page.value("onepoll_helper_jobs_total"));
    assert_eq!(event.get("helpers").get("running").number(), 1);
    // Each connection is in the state in which the script left it.
    for (name, count) in [
        ("new", 1),
        ("idle", 11),
        ("head", 1),
        ("content", 1),
        ("helper", 1),
        ("sleep", 1),
        ("stream", 1),
        ("writing", 0),
        ("discard", 0),
        ("ending", 0),
        ("linger", 0),
    ] {
        assert_eq!(state(&event, name), count, "{name}: {event:?}");
    }
    assert!(event.get("map").text().contains('b'), "{event:?}");
    let wheel = event.get("wheel");
    let entries = ["fine", "coarse"].map(|level| wheel.get(level).array().iter().map(Json::number));
    let entries: u64 = entries.into_iter().flatten().sum();
    assert_eq!(entries, event.get("timers").number());
    gate.open();
    // Who sleeps would not notice a half-close.
    others.into_iter().for_each(Client::reset);
    drop((idle, fresh));
    let event = watcher.until("they are gone", |event| event.get("open").number() == 2);
    assert_eq!(event.get("closes").get("peer").number(), stats.closes.of(Close::Peer));
}

#[test]
fn nothing_is_looked_at_while_nobody_watches() {
    let server = serve(&Gate::default());
    let mut client = Client::connect(server.local_addr());
    let watch = &server.handle().stats().watch;
    let number = || watch.taken_after(0).map_or(0, |snapshot| snapshot.number);
    for _ in 0..100 {
        ask(&mut client, "/").expect(200);
    }
    assert_eq!((number(), watch.handler_times.counts().sum::<u64>()), (0, 0));
    let mut watcher = Watcher::new(server.local_addr());
    watcher.event();
    watcher.until("handlers are timed", |event| {
        ask(&mut client, "/").expect(200);
        event.get("handler_times").get("counts").array().iter().any(|it| it.number() > 0)
    });
    let event = watcher.until("and have names", |event| !event.get("routes").array().is_empty());
    assert_eq!(event.get("routes").array()[0].get("route").text(), "/");
    let spent: u64 = ["poll", "run"].map(|part| event.get("parts").get(part).number()).iter().sum();
    assert!(spent > 0);
    drop(watcher);
    let stats = server.handle().stats();
    until("it is gone", || stats.open.value() == 1);
    let last = number();
    for _ in 0..100 {
        ask(&mut client, "/").expect(200);
    }
    assert_eq!(number(), last, "a snapshot that nobody asked for");
}

#[test]
fn who_holds_the_loop_is_blamed_by_name() {
    let gate = Gate::default();
    let server = serve(&gate);
    let stats = server.handle().stats();
    let mut client = Client::connect(server.local_addr());
    client.send("GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n");
    gate.expect_entered(1);
    let holds = |is: bool| {
        let blamed = stats.watch.blamed().unwrap_or_default();
        blamed.iter().any(|one| one.route == "/hold" && one.holds == is && one.count == 1)
    };
    until("it is noticed while it lasts", || holds(true));
    gate.open();
    client.reply().expect(200);
    until("its end is noticed", || holds(false));
    // A machine that is busy may hold others up as well.
    let blames = stats.watch.blames.value();
    assert!(blames >= 1);
    let page = Page::read(ask(&mut client, "/metrics").expect(200).text());
    assert!(page.value("onepoll_blames_total") >= blames as f64);
    let mut watcher = Watcher::new(server.local_addr());
    let event = watcher.event();
    let blamed = event.get("blamed").array().iter();
    let mut blamed = blamed.filter(|blame| blame.get("route").text() == "/hold");
    let blamed = blamed.next().expect("it is listed");
    assert!(blamed.get("longest_ms").number() >= 20);
}

#[test]
fn it_is_for_this_machine_and_says_so_to_others() {
    let server = serve(&Gate::default());
    let to = server.local_addr();
    let mut client = Client::connect(to);
    for path in ["/inside", "/inside/app.js", "/inside/style.css"] {
        let reply = ask(&mut client, path).expect(200);
        let policy = reply.get("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }
    for path in ["/inside", "/inside/app.js", "/inside/style.css", "/inside/events"] {
        for fields in [
            "Host: example.com",
            "Host: localhost.example.com",
            "Host: localhost\r\nX-Forwarded-For: 192.0.2.1",
            "Host: localhost\r\nForwarded: for=192.0.2.1",
        ] {
            client.send(format!("GET {path} HTTP/1.1\r\n{fields}\r\n\r\n"));
            client.reply().expect(403);
        }
    }
    // Eight watch; the next is told to wait, until one leaves.
    let mut watchers: Vec<Watcher> = (0..8).map(|_| Watcher::new(to)).collect();
    ask(&mut client, "/inside/events").expect(503);
    watchers.iter_mut().for_each(|watcher| drop(watcher.event()));
    watchers.pop();
    until("there is room", || server.handle().stats().closes.of(Close::Peer) == 1);
    Watcher::new(to).event();
}

/// Requests without end, until told.
fn load(to: SocketAddr, over: &AtomicBool) {
    let mut clients: Vec<Client> = (0..8).map(|_| Client::connect(to)).collect();
    let mut round = 0;
    while !over.load(Ordering::Relaxed) {
        for client in &mut clients {
            let path = if round % 200 == 199 { "/slow" } else { ["/", "/users/7"][round % 2] };
            ask(client, path).expect(200);
            round += 1;
        }
    }
}

#[test]
fn it_is_drawn_in_a_browser() {
    let Some(mut browser) = Browser::start("browser-inside") else { return };
    let gate = Gate::default();
    let server = serve(&gate);
    let to = server.local_addr();
    let mut idle: Vec<Client> = (0..90).map(|_| Client::connect(to)).collect();
    for client in idle.iter_mut().skip(7) {
        ask(client, "/").expect(200);
    }
    for (number, client) in idle.iter_mut().skip(20).step_by(5).enumerate() {
        let path = if number % 2 == 0 { "/later" } else { "/wait" };
        client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    }
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| load(to, &over));
        browser.screen(1280, 900, "light");
        browser.open(&format!("http://{to}/inside"));
        browser.until("document.querySelector('#link').dataset.is == 'live'");
        browser.until("document.querySelector('#blamed td')?.textContent == '/slow'");
        browser.until("document.querySelector('#routes td:nth-child(2)')?.textContent > '0'");
        browser.until("past.length > 8");
        for (name, width, height) in [("desktop", 1280, 900), ("phone", 390, 844)] {
            for scheme in ["light", "dark"] {
                browser.screen(width, height, scheme);
                browser.until(&format!("innerWidth == {width}"));
                browser.until("past.length > 8 && (draws = past.at(-1).number) > 0");
                browser.until("past.at(-1).number > draws + 1");
                browser.until("document.documentElement.scrollWidth <= innerWidth");
                browser.picture(&format!("inside-{name}-{scheme}"));
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    // Something was drawn, and the numbers are the loop's.
    for id in ["map", "turn_times", "handler_times", "wheel", "helpers"] {
        browser.until(&format!(
            "(c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(b => b > 0))\
             (document.getElementById('{id}'))"
        ));
    }
    gate.open();
    idle.into_iter().for_each(Client::reset);
    let stats = server.handle().stats();
    until("all have left", || stats.open.value() <= 2);
    let peers = stats.closes.of(Close::Peer);
    browser
        .until(&format!("document.querySelectorAll('#closes dd')[1].dataset.value == '{peers}'"));
    assert_eq!(browser.complaints, [""; 0]);
}
